# What there is to do with this project. Everything is cargo's work; `make run` and `make test` need nothing but cargo.

PREFIX ?= /usr/local
CARGO ?= cargo

# Other proxies for `make bench`, one a line: name=command with {listen} and {upstream}.
export PEERS

.DEFAULT_GOAL := help

.PHONY: run
run: ## start three routes with test upstreams on ports 8180 to 8182; Ctrl-C ends them
# A debug build: it is there in half the time, and a first try moves no gigabytes.
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

# The target has to be named, or the flag would apply to procedural macros too, which can't be static. It goes into the
# environment because flags of a cargo config are silently ignored where RUSTFLAGS is set; CARGO_ENCODED_RUSTFLAGS would
# win over both.
.PHONY: static
static: TARGET = $(shell rustc -vV | sed -n 's/^host: //p')
static: BINARY = $(or $(CARGO_TARGET_DIR),target)/$(TARGET)/release/chaos-proxy
static: ## build one static binary for Linux, and prove that it needs no other file
	@case '$(TARGET)' in *-linux-*) ;; *) echo 'make static: only Linux has static binaries, this is $(TARGET)' >&2; exit 1 ;; esac
	unset CARGO_ENCODED_RUSTFLAGS; \
	RUSTFLAGS="$$RUSTFLAGS -Ctarget-feature=+crt-static" $(CARGO) build --locked --release --target $(TARGET)
	@$(assert_static)
	@$(assert_runs_in_an_empty_chroot)
	@echo "$$(wc -c < $(BINARY)) bytes, static: $(BINARY)"

# What ldd does (ld.so(8)): the dynamic loader lists libraries where the program would run. No loader, no list.
define assert_static
said=$$(LD_TRACE_LOADED_OBJECTS=1 $(BINARY) --version); \
case "$$said" in \
  'chaos-proxy '*) ;; \
  *) printf 'make static: %s is not static, it loads\n%s\n' $(BINARY) "$$said" >&2; exit 1 ;; \
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
bench: ## measure beside no proxy and PEERS [ARGS=--quick]; ARGS=--help tells more
	$(CARGO) bench --locked --bench bench -- $(ARGS)

.PHONY: soak
soak: ## put a mixed load on one proxy, and find what it loses or leaks [ARGS='--seconds 60']
	$(CARGO) bench --locked --bench soak -- $(ARGS)

.PHONY: install
install: ## install an optimised build as PREFIX/bin/chaos-proxy [PREFIX=/usr/local]; DESTDIR goes before it
	$(CARGO) install --locked --path . --no-track --force --root '$(DESTDIR)$(PREFIX)'

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
