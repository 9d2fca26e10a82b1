//go:build integration

package kubernetes

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"seccomp-hook/test/integration"
)

// samples are the values of the metrics by "name{label=value,…}", as Prometheus's own
// parser reads what `seccomp-hook metrics` writes for node_exporter.
func samples(t *testing.T) map[string]float64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seccomp-hook.prom")
	integration.MustCommand(t, integration.Product(t, "seccomp-hook"), "metrics", "--textfile", path)
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(file)
	must(t, err)
	values := map[string]float64{}
	for name, family := range families {
		if counter := family.GetType() == dto.MetricType_COUNTER; counter != strings.HasSuffix(name, "_total") || family.GetHelp() == "" {
			t.Errorf("%s is of type %v, help %q", name, family.GetType(), family.GetHelp())
		}
		for _, metric := range family.Metric {
			var labels []string
			for _, pair := range metric.Label {
				labels = append(labels, pair.GetName()+"="+pair.GetValue())
			}
			if len(labels) > 0 {
				name = family.GetName() + "{" + strings.Join(labels, ",") + "}"
			}
			values[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return values
}

// TestMetrics: pods that start and pods that do not are in the metrics. Other tests use
// the same store and the same counters, so it is differences that count.
func TestMetrics(t *testing.T) {
	n := startWorker(t)
	p := n.runPod(t, handler, sandbox(unconfined))
	broken := filepath.Join(t.TempDir(), "broken.json")
	must(t, os.WriteFile(broken, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`), 0o644))
	before := samples(t)
	// With a name of its own in it the profile cannot be in the store.
	fresh := filepath.Join(t.TempDir(), "fresh.json")
	must(t, os.WriteFile(fresh, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["personality", "`+n.Namespace+`"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}`), 0o644))
	for _, name := range []string{"first", "second"} {
		p.container(name, container(localhost(fresh)), "/bin/sleep", "infinity")
	}
	if id, err := p.tryContainer("broken", container(localhost(broken)), "/bin/true"); err == nil {
		t.Fatalf("container %s started", id)
	}
	after := samples(t)
	for name, least := range map[string]float64{
		"seccomp_hook_store_misses_total":                     1,
		"seccomp_hook_install_failures_total{reason=profile}": 1,
		"seccomp_hook_containers{mode=suspend,store=hit}":     1,
		"seccomp_hook_containers{mode=suspend,store=miss}":    1,
		"seccomp_hook_store_size_bytes{kind=filter}":          math.Inf(-1), // what is old may have gone
		"seccomp_hook_compile_seconds_total":                  0,
		"seccomp_hook_proof_seconds_total":                    0,
	} {
		if got := after[name] - before[name]; got < least || after[name] <= 0 {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
}
