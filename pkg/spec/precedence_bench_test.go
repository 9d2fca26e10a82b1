package spec

import (
	"fmt"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// BenchmarkOrderRules orders many rules of one call, the worst that a profile
// can do: with one action, with two and one argument each, and with two
// arguments, where rules may cover one another.
func BenchmarkOrderRules(b *testing.B) {
	rules := func(n, actions, args int, op Op) []Rule {
		list := make([]Rule, n)
		for i := range list {
			list[i].Return = bpf.Errno(uint16(1 + i%actions))
			for a := range 1 + i%args {
				list[i].Conditions = append(list[i].Conditions,
					Condition{Arg: uint8(a), Op: op, Mask: ^uint64(0), Value: uint64(i*7919%n + a)})
			}
		}
		return list
	}
	for _, n := range []int{250, 2000} {
		for _, c := range []struct {
			name          string
			actions, args int
			op            Op
		}{{"one action", 1, 2, EQ}, {"equal", 2, 1, EQ}, {"above", 2, 1, GT}, {"two arguments", 2, 2, EQ}} {
			list := rules(n, c.actions, c.args, c.op)
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := orderRules(list, 64); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
