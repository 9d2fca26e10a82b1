# Everything a user or a developer of seccomp-hook does. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# sudo's secure_path leaves out where Go is unpacked by its own instructions.
export PATH := $(PATH):/usr/local/go/bin

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# As Debian orders versions: what has no tag yet comes before all that has.
DEB_VERSION := $(or $(patsubst v%,%,$(filter v%,$(VERSION))),0~$(VERSION))

# One static binary each, the same bytes wherever it is built from the same
# sources. The version comes from git here, because Go's own stamp fails the
# build where root builds another user's checkout.
BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X seccomp-hook/pkg/filter.version=$(VERSION)'

# Where the binaries go. GOARCH says what machines they are for.
BIN ?= bin/

# Where the Debian packages go.
DEB_DIR ?= bin/

# Where the image of the DaemonSet goes, and its name where it is imported.
IMAGE_DIR ?= bin/image
IMAGE ?= docker.io/library/seccomp-hook:$(VERSION)

FUZZTIME ?= 10s

##@ Use

.PHONY: build
build: ## Build the static binaries into bin/
	$(BUILD) -o $(BIN)seccomp-hook ./cmd/seccomp-hook
	$(BUILD) -o $(BIN)seccomp-hook-runtime ./cmd/seccomp-hook-runtime
	cd cmd/shim && $(BUILD) -o $(abspath $(BIN))/containerd-shim-seccomp-v2 .
	hack/build-front.sh $(BIN)seccomp-runc
	@announcer=pkg/runtime/announce/announce_$$(go env GOARCH).bin; \
	if [[ -e $$announcer ]]; then install -m 0755 "$$announcer" $(BIN)seccomp-hook-announce; else rm -f $(BIN)seccomp-hook-announce; fi

.PHONY: demo
demo: ## Run a container under runc with the hook and show what it saw (root)
	hack/dependencies.sh demo
	$(MAKE) --no-print-directory build
	hack/demo.sh

.PHONY: demo-containerd
demo-containerd: ## Run a container and an exec under a private containerd with the shim (root)
	hack/dependencies.sh demo
	hack/build-tools.sh containerd runc
	$(MAKE) --no-print-directory build
	hack/demo-containerd.sh

.PHONY: deb
deb: ## Build the Debian packages, of amd64 and arm64, into bin/
	hack/build-tools.sh nfpm
	hack/manual.sh .build/deb/share
	@for arch in amd64 arm64; do \
		GOARCH=$$arch $(MAKE) --no-print-directory build BIN=.build/deb/$$arch/; \
		GOARCH=$$arch DEB_VERSION=$(DEB_VERSION) bin/tools/nfpm package --config hack/nfpm.yaml --packager deb --target $(DEB_DIR); \
	done

.PHONY: image
image: ## Build the image of the DaemonSet, of amd64 and arm64, into bin/image and bin/image.tar
	@hack/image.sh $(IMAGE_DIR) $(IMAGE) $(VERSION)

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf bin .build

##@ Test

.PHONY: unit
unit: ## Vet and test what needs neither root nor packages
	go vet ./...
	go vet -tags integration ./test/...
	go test ./...
	@if command -v "$$(go env CC)" >/dev/null; then \
		CGO_ENABLED=1 go test -race $$(hack/concurrent.sh); \
	else \
		echo 'no C compiler: the race detector is left out'; \
	fi

.PHONY: test
test: ## Run all tests, from a clean clone to the last engine (root)
	hack/dependencies.sh test
	$(MAKE) --no-print-directory tools build
	hack/test.sh

.PHONY: integration
integration: tools build ## Run the tests against real runtimes and the running kernel (root)
	go test -count 1 -timeout 60m -tags integration -skip '^(TestEngine|TestRuncSuite)' ./test/...
	go -C test/kubernetes test -count 1 -timeout 10m -tags integration ./...

.PHONY: test-runc
test-runc: tools build ## Run all of runc's own test suite and the OCI's validation against seccomp-runc (root)
	go test -count 1 -timeout 60m -tags integration -run '^(TestRuncSuite|TestRuntimeTools)$$' -v ./test/integration -suite-all

.PHONY: test-engines
test-engines: tools build ## Run Docker Engine and Podman with seccomp-runc and the hook (root)
	go test -count 1 -timeout 30m -tags integration -run '^TestEngine' -v ./test/integration

.PHONY: test-kubernetes
test-kubernetes: tools build ## Run Kubernetes and its pods under the shim; builds it first, for fifteen minutes or more (root)
	hack/dependencies.sh machine
	cd hack/kubernetes && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o ../../bin/tools/kubernetes/kubernetes .
	go -C test/kubernetes test -count 1 -timeout 30m -tags integration,kubernetes -run '^Test(Kubelet|Cluster)$$' -v .

.PHONY: test-image
test-image: tools build ## Build the DaemonSet's image twice, run its installer, push it to a registry of its own (root)
	hack/dependencies.sh machine
	go -C test/kubernetes test -count 1 -timeout 30m -tags integration,image -run '^TestImage$$' -v .

.PHONY: test-critest
test-critest: tools build ## Run the validation of cri-tools against plain runc, the shim and seccomp-runc; builds it first (root)
	cd hack/critest && CGO_ENABLED=0 go test -trimpath -buildvcs=false -c -o ../../bin/tools/kubernetes/critest sigs.k8s.io/cri-tools/cmd/critest
	go -C test/kubernetes test -count 1 -timeout 60m -tags integration,kubernetes -run '^TestCritest$$' -v .

.PHONY: test-arm64
test-arm64: ## Run the tests on arm64, in an emulated machine (root for its packages)
	hack/dependencies.sh machine
	go test -count 1 -timeout 60m -tags integration,machine -run '^TestARM64' -v ./test/machine -whole

.PHONY: test-kernels
test-kernels: ## Run the tests on the kernels that Debian serves, in emulated machines (root for its packages)
	hack/dependencies.sh machine
	go test -count 1 -timeout 180m -tags integration,machine -run '^TestKernels$$' -v ./test/machine

.PHONY: test-confined
test-confined: ## Run containers with AppArmor and SELinux on, in emulated machines (root for its packages)
	hack/dependencies.sh machine
	go test -count 1 -timeout 90m -tags integration,machine -run '^TestConfined$$' -v ./test/machine

.PHONY: test-s390x
test-s390x: ## Run the tests of a big-endian machine, emulated (root for its packages)
	hack/dependencies.sh s390x
	go test -count 1 -timeout 90m -tags integration,machine -run '^TestS390X' -v ./test/machine

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s)
	hack/fuzz.sh $(FUZZTIME)

.PHONY: soak
soak: ## Run the long versions of fuzzing, of the proof's mutation test and of the comparison with libseccomp (hours)
	hack/fuzz.sh 10m
	go test -timeout 6h -run Mutation -mutations ./pkg/verify
	go test -timeout 1h -run Random -v ./pkg/decompile -programs 2000
	go test -timeout 6h -run Slow -slow 2000 -v ./pkg/verify ./pkg/compile
	go test -timeout 6h -count 1000 -run '^(TestSuspendManyAtOnce|TestEarlyExec|TestGroupStop|TestChildren|TestInitStopped|TestFollowHere)$$' ./pkg/install
	go test -timeout 6h -run '^(TestSpawning|TestRacingExecs)$$' -v ./pkg/install -rounds 1000
	go test -timeout 6h -count 1 -tags integration -run '^TestSignalsOfAContainer$$' -v ./test/integration -signalled-starts 1000
	go test -timeout 6h -count 25 -tags integration -run '^TestRuntimeWays$$' ./test/integration
	go test -timeout 1h -count 1 -tags integration -run '^TestFullDisk$$' ./test/integration -every-room
	go test -timeout 6h -count 20 -tags integration -run '^TestContainerdListener$$' ./test/integration -every-hand-over
	go test -timeout 6h -count 1 -tags integration -run '^TestFaults$$' ./test/integration -faulted-starts 50000
	go test -timeout 1h -count 1 -tags integration -run '^TestStoppedForGood$$' ./test/integration -every-stop
	CGO_ENABLED=1 go test -timeout 1h -tags libseccomp -run Random -profiles 20000 -v ./test/differential
	$(MAKE) --no-print-directory test-arm64 test-kernels test-confined test-s390x

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...
	cd test/bench && go test -run '^$$' -bench . ./...

.PHONY: bench-compile
bench-compile: ## Compare the compiler with libseccomp, gVisor's and elastic's
	cd test/bench && go run -tags libseccomp ./compile

.PHONY: bench-start
bench-start: tools build ## Compare what starting a container and an exec costs with runc's and crun's own seccomp (root)
	cd test/bench && go run ./start

.PHONY: bench-density
bench-density: tools build ## Compare what probes and pods cost on a node that has 1, 20 and 60 pods of each kind (root)
	cd test/bench && go run ./start -rounds 10 -density 1,20,60

##@ Develop

.PHONY: generate
generate: ## Write the generated files anew
	go generate ./...

.PHONY: stale
stale: ## Fail if a generated file is not what the generator writes
	hack/stale.sh

.PHONY: portable
portable: ## Compile for the other systems and architectures
	hack/portable.sh

.PHONY: lint
lint: ## Run the linters over Go, C and shell
	hack/dependencies.sh lint
	hack/build-tools.sh golangci-lint
	hack/lint.sh

.PHONY: tools
tools: ## Build runc, containerd and the other tools of the tests into bin/tools
	hack/build-tools.sh
	hack/crun-tests.sh

.PHONY: dependencies
dependencies: ## Install the Debian packages that the tests need (root)
	hack/dependencies.sh test

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
