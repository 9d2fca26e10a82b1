module seccomp-hook

go 1.26
