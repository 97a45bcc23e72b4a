# Targets for a Makefile. Copy them, or `include chaos.mk`.
#
#   make chaos               tests once, with a new seed
#   make chaos SEED=42       repeats the faults of that seed
#   make chaos-bisect        tests with the seeds 1 to 20, and prints those that fail

FAULTS ?= faults.yaml
TESTS ?= make test
SEEDS ?= $(shell seq 20)

.PHONY: chaos
chaos: # run the tests through the proxy
	chaos-proxy --config '$(FAULTS)' $(if $(SEED),--seed $(SEED)) -- $(TESTS)

.PHONY: chaos-bisect
chaos-bisect: # find the seeds with which the tests fail
	@failed=; \
	for seed in $(SEEDS); do \
	  chaos-proxy --quiet --config '$(FAULTS)' --seed $$seed -- $(TESTS) >chaos-$$seed.log 2>&1 || failed="$$failed $$seed"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed with the seeds$$failed; repeat with make chaos SEED=N"; exit 1; fi
