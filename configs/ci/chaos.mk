# Targets for a Makefile. Copy them, or `include chaos.mk`.
#
#   make chaos               tests once, with a new seed
#   make chaos SEED=42       repeats the faults of that seed
#   make chaos-seeds         tests with the seeds 1 to 20, and prints those that fail

FAULTS ?= faults.yaml
TESTS ?= $(MAKE) test
SEEDS ?= 1-20

.PHONY: chaos
chaos: # run the tests through the proxy
	chaos-proxy --config '$(FAULTS)' $(if $(SEED),--seed $(SEED)) --log-file chaos.log -- $(TESTS)

.PHONY: chaos-seeds
chaos-seeds: # find the seeds with which the tests fail
	chaos-proxy --config '$(FAULTS)' --seeds $(SEEDS) --keep-going --log-file chaos.log -- $(TESTS)
