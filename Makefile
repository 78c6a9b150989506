# `make demo`, `make fleet-demo` and `make test` set up all they need on a fresh Debian 12.
.PHONY: demo fleet-demo test fuzz lint setup lock clean

ARGS ?=
# Two workers: the whole-system tests start many processes each.
WORKERS ?= 2
# Compilers of the native modules, and machines that execute what they make.
NATIVE_PACKAGES = gcc clang-22 llvm-22 qemu-user

setup:
	@tools/setup.sh

demo: setup
	@.venv/bin/hall demo $(ARGS)

# The back office of HALLS simulated halls on this machine, with its real servers.
HALLS ?= 20
fleet-demo:
	@tools/setup.sh nats-server postgresql
	@.venv/bin/hall fleet up --halls $(HALLS) $(ARGS)

test:
	@tools/setup.sh mosquitto systemd xfonts-unifont procps chromium fonts-wqy-microhei nats-server postgresql \
	    $(NATIVE_PACKAGES)
	.venv/bin/pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Each reader of bytes from outside, SECONDS long: make fuzz SECONDS=600 ARGS="event device-mqtt".
SECONDS ?= 60
fuzz:
	@tools/setup.sh $(NATIVE_PACKAGES)
	@cd tests && PYTHONPATH=. ../.venv/bin/python -m fuzz --seconds $(SECONDS) $(ARGS)

lint: setup build/stubs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/basedpyright
	.venv/bin/basedpyright --project firmware
	.venv/bin/python tools/lint_c.py

build/stubs: requirements-stubs.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --upgrade --target $@ -r $<
	@touch $@

# What `hall bench gateway` compares the gateway with.
build/peers: requirements-peers.lock
	python3 -m venv --clear $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The locks name versions and hashes, never an index host.
lock: setup
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links requirements-stubs.in -o requirements-stubs.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links requirements-peers.in -o requirements-peers.lock

clean:
	rm -rf .venv build *.egg-info
