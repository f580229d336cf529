# One verb per task, the same by hand and in CI. `make help` lists them.

MAKEFLAGS += --no-builtin-rules --no-print-directory
# Packages are installed before they are needed. Compilations and tests still run in parallel.
.NOTPARALLEL:
JOBS ?= $(shell nproc)
CTEST = ctest --output-on-failure --no-tests=error --no-label-summary --parallel $(JOBS)

.PHONY: help
help: ## Print this list (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: packages-run build/release/build.ninja ## Build and run both services and their databases, until Ctrl-C
	@cmake --build build/release --parallel $(JOBS) --target customers cart
	@scripts/run

.PHONY: build
build: packages-build build-release ## Build a release in build/release

.PHONY: test
test: packages-test build-release ## Run every test: unit, integration and end-to-end
	@$(CTEST) --test-dir build/release

.PHONY: lint
lint: packages-lint build-release ## Check format, clang-tidy, scripts; any warning is an error
	@scripts/lint

.PHONY: format
format: packages-format ## Format all C++ sources in place
	@scripts/lint --fix-format

.PHONY: openapi
openapi: packages-build build-release ## Update docs/openapi/ after an intended change of the API
	@scripts/openapi

.PHONY: bench
bench: packages-bench build-release ## Measure both services against yardsticks; ARGS=--help lists its options
	@bench/run $(ARGS)

.PHONY: coverage
coverage: packages-instrument build-coverage ## Run every test, report line coverage; at least 90 %
	@scripts/coverage

.PHONY: sanitize
sanitize: asan tsan ## Run the tests under the sanitizers (asan, then tsan)

.PHONY: asan
asan: packages-instrument build-asan ## Run every test under AddressSanitizer and UBSan
	@UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=print_suppressions=0:suppressions=$(CURDIR)/cmake/sanitizers/lsan.supp \
		$(CTEST) --test-dir build/asan

.PHONY: tsan
tsan: packages-instrument build-tsan ## Run the tests of platform and services under ThreadSanitizer
	@TSAN_OPTIONS="ignore_noninstrumented_modules=1 suppressions=$(CURDIR)/cmake/sanitizers/tsan.supp" \
		$(CTEST) --test-dir build/tsan --label-regex 'unit|postgres'

.PHONY: sbom
sbom: packages-run build/release/build.ninja ## Write the list of components (CycloneDX) to build/sbom.cdx.json
	@cmake --build build/release --parallel $(JOBS) --target customers cart
	@scripts/sbom >build/sbom.cdx.json

.PHONY: fuzz
fuzz: packages-instrument ## Fuzz each target for FUZZ_SECONDS (60) under ASan and UBSan
	@cmake --preset fuzz >/dev/null
	@cmake --build build/fuzz --parallel $(JOBS) --target fuzz_targets
	@scripts/fuzz

.PHONY: reset
reset: ## Delete .run/: the database of `make run`, its secrets, certificates and logs
	@scripts/run --reset

.PHONY: clean
clean: ## Delete build/
	rm -rf build

.PHONY: images
images: ## Build the container images, with docker or podman
	@scripts/images

.PHONY: partitioned-test
partitioned-test: packages-test build/release/build.ninja ## Run the end-to-end tests of carts with carts that are spread over partitions
	@cmake --build build/release --parallel $(JOBS) --target customers cart bench_statements
	@CART_PARTITIONED=1 $(CTEST) --test-dir build/release --label-regex e2e --exclude-regex partitioned_

.PHONY: compose-test
compose-test: ## Test a deployment of compose.yaml, and the commands of docs/deployment.md
	@/usr/bin/python3 -m pytest -v tests/deployment

.PHONY: chart-test
chart-test: packages-chart ## Test the Helm chart; where KUBECONFIG names a cluster, in that too
	@/usr/bin/python3 -m pytest -q tests/chart $(ARGS)

.PHONY: failover-test
failover-test: packages-failover build/release/build.ninja ## Let the databases of deploy/ha fail over under load, in 15 minutes; ARGS=--write updates docs/scaling.md
	@cmake --build build/release --parallel $(JOBS) --target customers cart
	@/usr/bin/python3 -m pytest -v -s tests/failover $(ARGS)

.PHONY: packages
packages: ## Install the Debian packages of all verbs
	@scripts/install-packages

# The groups of scripts/packages.txt that verbs need. packages-<name> installs the groups of
# groups-<name>.
groups-run := tools build web run
groups-build := tools build web test-build
groups-test := $(groups-build) run test
groups-failover := tools build web run test failover
groups-instrument := $(groups-test) instrument
groups-bench := $(groups-test) bench
groups-lint := $(groups-build) lint
groups-chart := tools chart
groups-format := lint
install := $(addprefix packages-,run build test failover instrument bench lint format chart)
.PHONY: $(install)
$(install): packages-%:
	@scripts/install-packages $(groups-$*)

# build-<preset> builds all targets of a preset of CMakePresets.json. It adds the tests to a tree that
# `make run` configured, and keeps the compiled files.
build-%:
	@cmake --preset $* >/dev/null
	@cmake --build build/$* --parallel $(JOBS)

# If nothing is configured yet, `make run` configures the tree without tests, because then it needs
# none of their packages.
build/release/build.ninja: CMakePresets.json
	@cmake --preset release -D BUILD_TESTING=OFF >/dev/null
