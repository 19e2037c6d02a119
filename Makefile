# The two commands of the README, and what CI runs. Works where rustup's auto-install is off: `toolchain` names every step.
.PHONY: up test lint bench soak chaos toolchain build fmt

CARGO ?= cargo
ARGS ?=

# First run: account, environment, vault "Demo", token; prints what to export. Later runs: starts what is there.
up: toolchain
	$(CARGO) run --release --locked --package sekisho-host --bin sekisho -- up $(ARGS)

# Everything: unit, cases on every engine, property, architecture, canary, the vendor's SDKs.
test: toolchain
	$(CARGO) test --workspace --locked

lint: toolchain
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --all-features check; \
	else echo "lint: cargo-deny is not installed, skipped (cargo install cargo-deny --locked)"; fi

bench: toolchain
	$(CARGO) bench --locked --package sekisho-benches

# Ten million requests on one server: its memory stays flat.
soak: toolchain
	SEKISHO_SOAK=10 $(CARGO) bench --locked --package sekisho-benches --bench sync -- memory

# Ten thousand rounds of killing everything at random; SEKISHO_SEED repeats one.
chaos: toolchain
	SEKISHO_ROUNDS=10000 $(CARGO) test --release --locked --package sekisho-host --test kills -- --nocapture

fmt: toolchain
	$(CARGO) fmt --all

# rust-toolchain.toml says what is needed; with RUSTUP_AUTO_INSTALL=0 it has to be asked for. Without rustup, what is on
# PATH has to do.
toolchain:
	@if command -v rustup >/dev/null; then rustup toolchain install --no-self-update >/dev/null 2>&1 \
		|| rustup target add wasm32-wasip2; fi
