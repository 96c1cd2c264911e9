# What people type. Every target is one idea; "make" alone lists them.
#
# make test needs Go and nothing else. lint and interop fetch their tools from the public package
# registries into .cache, which is not committed.

GO            ?= go
# Pinned, so that a new rule arrives as a commit and not as a surprise.
GOLANGCI_LINT ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# How long each fuzz target runs under "make fuzz" and "make long".
FUZZTIME      ?= 10m
# How often the crash test kills a server under load in "make long"; "make test" does ten.
KILLS         ?= 200
# How many seeds the histories of resharding under load and crashes take in "make long"; "make test" takes six, new ones each time.
SEEDS         ?= 1000
# How many seeds the other random tests take in "make long"; "make test" takes one, a new one each time.
ROUNDS        ?= 100
# Kills in "make soak", which is for a night.
SOAK_KILLS    ?= 2000
# The seed of the toll company's data in "make soak".
SEED          ?= 1

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build ./weir
	$(GO) build -o weir ./cmd/weir

.PHONY: run
run: ## start a server that takes any key, on this machine only
	$(GO) run ./cmd/weir dev

.PHONY: test
test: ## all tests: ten minutes on two cores, nothing but Go
	$(GO) vet ./...
	$(GO) test ./...

.PHONY: race
race: ## all tests under the race detector (needs a C compiler)
	$(GO) test -race ./...

.PHONY: cover
cover: ## tests with coverage; prints the total and writes cover.out
	$(GO) test -coverprofile=cover.out -coverpkg=./internal/... ./...
	$(GO) tool cover -func=cover.out | tail -1

.PHONY: lint
lint: ## go.mod, formatting and golangci-lint; the reasons are in .golangci.yml
	$(GO) mod tidy -diff
	$(GOLANGCI_LINT) run ./...

.PHONY: bench
bench: ## measure against the floor; writes docs/benchmarks.md
	$(GO) run ./test/bench -o docs/benchmarks.md

.PHONY: interop
interop: ## the SDKs, AWS CLIs, KCL, KPL, Flink and Spark against a running server (needs python3, node, a JDK, Maven and apt-get)
	$(GO) run ./test/interop

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	GO="$(GO)" .ci/fuzz $(FUZZTIME)

.PHONY: long
long: ## the tests that take hours: KILLS kills, FUZZTIME of fuzzing each, many seeds
	WEIR_CRASH_KILLS=$(KILLS) $(GO) test -count=1 -timeout 4h -v ./test/crash
	WEIR_CRASH_KILLS=$(KILLS) $(GO) test -count=1 -timeout 4h -v -run TestKills ./test/firehose
	for seed in 1 2 3 4 5 6 7 8 9 10; do for fault in F1 F5 F1+F5; do $(GO) run ./cmd/weir demo tolls --check --fault $$fault --seed $$seed || exit 1; done; done
	for seed in 1 2 3 4 5 6 7 8 9 10; do for fault in F1 F2 F3 F5 F9 F1+F5 F1+F9 F5+F9 F1+F2+F3+F5+F9; do for pace in max test; do \
		$(GO) run ./cmd/weir demo offers --check --fault $$fault --pace $$pace --seed $$seed || exit 1; done; done; done
	for mapping in standard fan-out; do for pace in real test; do $(GO) run ./cmd/weir demo offers --check --scale full --mapping $$mapping --pace $$pace || exit 1; done; done
	for seed in 1 2 3 4 5 6 7 8 9 10; do $(GO) run ./cmd/weir demo offers --check --mapping window --seed $$seed || exit 1; done
	$(GO) test -count=1 -timeout 4h -v ./test/history -seeds $(SEEDS)
	$(GO) test -count=1 -timeout 4h ./internal/commitlog/disklog -crash.rounds=$(ROUNDS)
	$(GO) test -count=$(ROUNDS) -timeout 4h ./internal/catalog ./internal/controller ./internal/fold ./internal/wire/shapes
	$(MAKE) fuzz

.PHONY: soak
soak: ## a night of kills, and the toll company's week compared with its oracle under kills and reshards
	WEIR_CRASH_KILLS=$(SOAK_KILLS) $(GO) test -count=1 -timeout 24h -v ./test/crash
	$(GO) run ./cmd/weir demo tolls --check --scale full --seed $(SEED)
	$(GO) run ./cmd/weir demo tolls --check --scale full --seed $(SEED) --fault F1
	$(GO) run ./cmd/weir demo tolls --check --scale full --seed $(SEED) --fault F5
	$(GO) run ./cmd/weir demo tolls --check --scale full --seed $(SEED) --fault F1+F5

.PHONY: generate
generate: ## the wire shapes, from the committed AWS service models
	$(GO) generate ./internal/wire/shapes
