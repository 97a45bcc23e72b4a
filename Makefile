# Targets for building and testing. Cargo does the work; `make run` and `make test` need only cargo.

PREFIX ?= /usr/local
CARGO ?= cargo

# Other proxies for `make bench`, one per line: name=command with {listen} and {upstream}.
export PEERS

.DEFAULT_GOAL := help

.PHONY: run
run: ## start three routes with test upstreams on ports 8180 to 8182; Ctrl-C stops them
# A debug build takes half the time to compile, and is fast enough for a first try.
	$(CARGO) run --locked -- --config configs/valid/multiple_routes.json --test-server --verbose

.PHONY: test
test: ## run every test
	$(CARGO) test --locked

.PHONY: check
check: ## formatting, lints and documentation, with warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked --no-deps

# The explicit target keeps the flag away from procedural macros, which can't be static. The flag is in the environment
# because cargo ignores the flags of its config if RUSTFLAGS is set. CARGO_ENCODED_RUSTFLAGS would override both.
.PHONY: static
static: TARGET = $(shell rustc -vV | sed -n 's/^host: //p')
static: BINARY = $(or $(CARGO_TARGET_DIR),target)/$(TARGET)/release/chaos-proxy
static: ## build one static binary for Linux, and check that it needs no other file
	@case '$(TARGET)' in *-linux-*) ;; *) echo 'make static: only Linux has static binaries, this is $(TARGET)' >&2; exit 1 ;; esac
	unset CARGO_ENCODED_RUSTFLAGS; \
	RUSTFLAGS="$$RUSTFLAGS -Ctarget-feature=+crt-static" $(CARGO) build --locked --release --target $(TARGET)
	@$(assert_static)
	@$(assert_runs_in_an_empty_chroot)
	@echo "$$(wc -c < $(BINARY)) bytes, static: $(BINARY)"

# As ldd does (ld.so(8)): with this variable the dynamic loader lists libraries instead of running the program. A static
# binary has no loader, so it runs and prints its version.
define assert_static
output=$$(LD_TRACE_LOADED_OBJECTS=1 $(BINARY) --version); \
case "$$output" in \
  'chaos-proxy '*) ;; \
  *) printf 'make static: %s is not static, it loads\n%s\n' $(BINARY) "$$output" >&2; exit 1 ;; \
esac
endef

define assert_runs_in_an_empty_chroot
if [ "$$(id -u)" = 0 ]; then as_root=; \
elif unshare -r true 2>/dev/null; then as_root='unshare -r'; \
else echo 'skipped: the run in an empty chroot needs root or unprivileged user namespaces (unshare -r)'; exit 0; fi; \
root=$$(mktemp -d) && trap 'rm -rf "$$root"' EXIT && cp $(BINARY) "$$root/" && \
$$as_root chroot "$$root" /chaos-proxy --check --listen 8180 --upstream 127.0.0.1:9090 >/dev/null || \
{ echo 'make static: the binary does not run in an empty chroot' >&2; exit 1; }
endef

.PHONY: bench
bench: ## compare with no proxy and with PEERS [ARGS=--quick]; see ARGS=--help
	$(CARGO) bench --locked --bench bench -- $(ARGS)

.PHONY: soak
soak: ## run a mixed load, and fail on wrong bytes or leaks [ARGS='--seconds 60']
	$(CARGO) bench --locked --bench soak -- $(ARGS)

.PHONY: install
install: ROOT = $(DESTDIR)$(PREFIX)
install: ## install an optimised build, its manual page and completions below PREFIX [/usr/local], and DESTDIR if set
	$(CARGO) install --locked --path . --no-track --force --root '$(ROOT)'
	install -d '$(ROOT)/share/man/man1' '$(ROOT)/share/bash-completion/completions' \
	  '$(ROOT)/share/zsh/site-functions' '$(ROOT)/share/fish/vendor_completions.d'
	@$(call install_output,--man,share/man/man1/chaos-proxy.1)
	@$(call install_output,--completions bash,share/bash-completion/completions/chaos-proxy)
	@$(call install_output,--completions zsh,share/zsh/site-functions/_chaos-proxy)
	@$(call install_output,--completions fish,share/fish/vendor_completions.d/chaos-proxy.fish)

# Installs what the installed binary prints for these arguments.
install_output = '$(ROOT)/bin/chaos-proxy' $(1) > '$(ROOT)/$(2)' && chmod 644 '$(ROOT)/$(2)' && echo 'Installed $(ROOT)/$(2)'

.PHONY: clean
clean: ## remove all build output
	$(CARGO) clean

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
