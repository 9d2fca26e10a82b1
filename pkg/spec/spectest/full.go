package spectest

import (
	"fmt"
	"strconv"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

// Full is a shape of valid profiles as large as can be read, each of which takes
// as much as possible of something.
type Full struct {
	Name string
	// Fits says that there is a program for it.
	Fits bool
	// part is what the profile has again and again.
	part func(i int) string
	// around has %s for these, where they are not rules.
	around string
}

// FullProfiles are shapes that were found by asking what each step of reading a
// profile, and of putting its rules in order, has to do most for.
var FullProfiles = []Full{
	// Rules of one call, each with an errno of its own.
	{Name: "one value each", part: func(i int) string { return each(i, `"ioctl"`, is(1, "EQ", i)) }},
	{Name: "above a value each", part: func(i int) string { return each(i, `"ioctl"`, is(1, "GT", i*7919%1000003)) }},
	{Name: "below, of two arguments", part: func(i int) string { return each(i, `"ioctl"`, is(1+i%2, "LT", i<<30)) }},
	{Name: "a mask each", part: func(i int) string { return each(i, `"ioctl"`, under(1+i%2, i+1)) }},
	{Name: "pairs that overlap", part: func(i int) string {
		if i%2 == 0 {
			return each(i, `"ioctl"`, is(0, "EQ", i), is(1, "EQ", i%7))
		}
		return each(i, `"ioctl"`, is(1, "EQ", i%7), is(2, "EQ", i))
	}},
	{Name: "five and six arguments", part: func(i int) string {
		var args []string
		for k := range 6 - i%2 {
			args = append(args, is(k, []string{"GT", "LT", "NE", "GE"}[(i+k)%4], i*(k+3)*7919<<(5*k)))
		}
		return each(i, `"ioctl"`, args...)
	}},
	{Name: "calls that are multiplexed", part: func(i int) string {
		return each(i, `"socket","bind","connect","listen","accept","sendto"`, is(1+i%3, "EQ", i))
	}},
	// Rules of one call with one action, but for one that differs.
	{Name: "covered", part: func(i int) string {
		if i < 4000 {
			return all(`"ioctl"`, is(1, "EQ", i))
		}
		return all(`"ioctl"`, is(0, "EQ", i), is(1, "EQ", i%4000))
	}},
	{Name: "covering", part: func(i int) string {
		if i < 15000 {
			return all(`"ioctl"`, is(0, "EQ", i), is(1, "EQ", i%4000))
		}
		return all(`"ioctl"`, is(1, "EQ", i%4000))
	}},
	// What is valid, and fits.
	{Name: "the same again", Fits: true, part: func(i int) string { return each(i%300, `"ioctl"`, is(i%3, "GE", i%300)) }},
	{Name: "all calls, the same again", Fits: true, part: func(i int) string {
		return each(i%3, calls(), is(1+i%3, "EQ", i%3))
	}},
	{Name: "calls with rules of their own", part: func(i int) string {
		return each(i, strconv.Quote(arch.Call(i%400).Name()), is(1+i/400%3, "NE", i/400))
	}},
	{Name: "all calls and their own", part: func(i int) string {
		if i < 200 {
			return each(i, calls(), is(1+i%3, "EQ", i))
		}
		return each(i, strconv.Quote(arch.Call(i%400).Name()), is(5, "EQ", i))
	}},
	{Name: "unconditional", Fits: true, part: func(int) string { return all(calls()) }},
	// Alternatives: conditions of one rule that are about one argument.
	{
		Name: "alternatives", part: func(i int) string { return is(i%3, "GT", i) },
		around: `{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","errnoRet":9,"args":[%s]}`,
	},
	// What is ignored.
	{Name: "unknown names", Fits: true, part: func(i int) string { return fmt.Sprintf(`"c%x"`, i) }, around: `{"names":[%s],"action":"SCMP_ACT_LOG"}`},
	{Name: "short unknown names", Fits: true, part: func(int) string { return `"x"` }, around: `{"names":[%s],"action":"SCMP_ACT_LOG"}`},
	{Name: "long unknown names", Fits: true, part: func(i int) string { return all(fmt.Sprintf(`"%0100000d"`, i)) }},
	{Name: "rules without names", Fits: true, part: func(int) string { return `{"action":"SCMP_ACT_LOG"}` }},
	{Name: "unknown properties", Fits: true, part: func(i int) string { return fmt.Sprintf(`"%x":0`, i) }, around: `{"names":["read"],%s,"action":"SCMP_ACT_LOG"}`},
	{Name: "errnos that are ignored", Fits: true, part: func(int) string { return `{"action":"SCMP_ACT_LOG","errnoRet":9}` }},
	{Name: "unknown capabilities", Fits: true, part: func(int) string { return `"x"` }, around: `{"action":"SCMP_ACT_LOG","includes":{"caps":[%s]}}`},
	{Name: "unknown architectures", Fits: true, part: func(int) string { return `"x"` }, around: `{"action":"SCMP_ACT_LOG","includes":{"arches":[%s]}}`},
}

// Text returns the profile, of at most spec.MaxSize bytes.
func (f Full) Text() []byte {
	var b strings.Builder
	b.WriteString(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[`)
	// Another action on other arguments, so that rules have to be compared.
	b.WriteString(`{"names":["ioctl"],"action":"SCMP_ACT_KILL","args":[` + is(4, "EQ", 3) + "," + is(5, "EQ", 3) + "]},")
	before, after, _ := strings.Cut(f.around, "%s")
	b.WriteString(before)
	end := after + "]}"
	for i := 0; ; i++ {
		part := f.part(i)
		if b.Len()+1+len(part)+len(end) > spec.MaxSize {
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(part)
	}
	b.WriteString(end)
	return []byte(b.String())
}

// each is a rule with an errno of its own, all one with SCMP_ACT_LOG.
func each(i int, names string, args ...string) string {
	return fmt.Sprintf(`{"names":[%s],"action":"SCMP_ACT_ERRNO","errnoRet":%d,"args":[%s]}`, names, 1+i%4000, strings.Join(args, ","))
}

func all(names string, args ...string) string {
	return fmt.Sprintf(`{"names":[%s],"action":"SCMP_ACT_LOG","args":[%s]}`, names, strings.Join(args, ","))
}

func is(arg int, op string, value int) string {
	return fmt.Sprintf(`{"index":%d,"value":%d,"op":"SCMP_CMP_%s"}`, arg, uint64(value), op)
}

func under(arg, mask int) string {
	return fmt.Sprintf(`{"index":%d,"value":%d,"op":"SCMP_CMP_MASKED_EQ"}`, arg, mask)
}

// calls returns the names of 400 calls.
func calls() string {
	var names []string
	for c := range arch.Call(400) {
		names = append(names, strconv.Quote(c.Name()))
	}
	return strings.Join(names, ",")
}
