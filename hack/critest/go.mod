// Module critest pins the validation of container runtimes that `make test-critest`
// builds: a test of cri-tools, so no package of it is imported here.
module seccomp-hook/hack/critest

go 1.26.6

tool sigs.k8s.io/cri-tools/cmd/critest

require sigs.k8s.io/cri-tools v1.37.0 // indirect
