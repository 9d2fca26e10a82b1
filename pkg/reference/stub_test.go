package reference

import (
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// What follows the stub stands for the program behind it.
const behind = bpf.RetTrap

func TestStub(t *testing.T) {
	find := func(name string) *arch.Arch {
		a, ok := arch.ByName(name)
		if !ok {
			t.Fatal(name)
		}
		return a
	}
	enosys := bpf.Errno(38)
	for _, test := range []struct {
		name string
		list []highest
		arch string
		nr   uint32
		want bpf.Return
	}{
		{"nothing named", nil, "x86_64", 1000, behind},
		{"highest", []highest{{find("x86_64"), 10}}, "x86_64", 10, behind},
		{"above", []highest{{find("x86_64"), 10}}, "x86_64", 11, enosys},
		{"another architecture", []highest{{find("x86_64"), 10}}, "x86", 11, behind},
		{"x32 where only x86_64 is listed", []highest{{find("x86_64"), 10}}, "x86_64", 0x4000000b, behind},
		{"-1", []highest{{find("x86_64"), 10}}, "x86_64", 0xffffffff, behind},
		{"the bit decides, not the size", []highest{{find("x86_64"), 10}}, "x86_64", 0x8000000b, enosys},
		{"both: x86_64", []highest{{find("x86_64"), 10}, {find("x32"), 0x40000014}}, "x86_64", 11, enosys},
		{"both: x32 below", []highest{{find("x86_64"), 10}, {find("x32"), 0x40000014}}, "x86_64", 0x40000014, behind},
		{"both: x32 above", []highest{{find("x86_64"), 10}, {find("x32"), 0x40000014}}, "x86_64", 0x40000015, enosys},
		{"second of two", []highest{{find("x86_64"), 10}, {find("x86"), 20}}, "x86", 21, enosys},
		{"call 0", []highest{{find("x86_64"), 10}}, "x86_64", 0, behind},
		{"call 0 of s390x", []highest{{find("s390x"), 10}}, "s390x", 0, enosys},
		{"call 1 of s390x", []highest{{find("s390x"), 10}}, "s390x", 1, behind},
		{"above on s390", []highest{{find("s390"), 10}}, "s390", 11, enosys},
	} {
		p := append(stub(test.list, enosys), bpf.Ret(behind))
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		a := find(test.arch)
		words := (&bpf.Data{Nr: test.nr, Arch: a.Audit}).Words(a.Endian)
		if got, err := p.Run(&words); err != nil || got != test.want {
			t.Errorf("%s: %v %v, want %v", test.name, got, err, test.want)
		}
	}
}
