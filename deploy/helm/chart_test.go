// Package helm_test judges the chart: by helm's own linter, by Kubernetes' own
// types, by wxenrich's own check of its configuration, and by what has to hold.
package helm_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const chartDir = "wxenrich"

// release is what one set of values makes.
type release struct {
	Gateway gatewayRelease

	ConfigMap, Dashboard *core.ConfigMap
	Deployment           *apps.Deployment
	Service              *core.Service
	PDB                  *policy.PodDisruptionBudget
	NetworkPolicy        *network.NetworkPolicy
	ScaledObject         *scaledObject
	ServiceMonitor       *monitoring.ServiceMonitor
	PrometheusRule       *monitoring.PrometheusRule
}

// gatewayRelease is what of it is the gateway's.
type gatewayRelease struct {
	ConfigMap      *core.ConfigMap
	Deployment     *apps.Deployment
	StatefulSet    *apps.StatefulSet // with a spool
	Service        *core.Service
	PDB            *policy.PodDisruptionBudget
	NetworkPolicy  *network.NetworkPolicy
	Ingress        *network.Ingress
	ServiceMonitor *monitoring.ServiceMonitor
}

// scaledObject is as much of KEDA's as the chart uses.
type scaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef  struct{ Name string }
		MinReplicaCount int
		MaxReplicaCount int
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior struct {
					ScaleDown struct{ StabilizationWindowSeconds int }
				}
			}
		}
		Triggers []struct {
			Type     string
			Metadata map[string]string
		}
	}
}

// values reads a set of values.
func values(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := yaml.UnmarshalStrict(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// render is "helm template"; the values are held to the chart's schema.
func render(t *testing.T, v map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(chart, v, common.ReleaseOptions{Name: "followers", Namespace: "crm", IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// install renders a set of values and reads each object by its own type, where
// a field that does not exist is an error.
func install(t *testing.T, path string) *release {
	t.Helper()
	files, err := render(t, values(t, path))
	if err != nil {
		t.Fatal(err)
	}
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	r := new(release)
	for name, text := range files {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for doc := range strings.SplitSeq(text, "\n---\n") {
			var kind meta.TypeMeta
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			custom := map[string]func() any{
				"ScaledObject":   func() any { r.ScaledObject = new(scaledObject); return r.ScaledObject },
				"ServiceMonitor": func() any { r.ServiceMonitor = new(monitoring.ServiceMonitor); return r.ServiceMonitor },
				"PrometheusRule": func() any { r.PrometheusRule = new(monitoring.PrometheusRule); return r.PrometheusRule },
			}
			if kind.Kind == "" {
				continue // what is not wanted leaves a comment, or nothing
			}
			if into, ok := custom[kind.Kind]; ok {
				before := r.ServiceMonitor
				if err := yaml.UnmarshalStrict([]byte(doc), into()); err != nil {
					t.Fatalf("%s: %v\n%s", name, err, doc)
				}
				if m := r.ServiceMonitor; m != before && strings.HasSuffix(m.Name, "-gateway") {
					r.Gateway.ServiceMonitor, r.ServiceMonitor = m, before
				}
				continue
			}
			object, _, err := strict.Decode([]byte(doc), nil, nil)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			r.keep(t, object)
		}
	}
	return r
}

func (r *release) keep(t *testing.T, object any) {
	t.Helper()
	if o, ok := object.(meta.Object); ok && strings.HasSuffix(o.GetName(), "-gateway") {
		r.Gateway.keep(t, object)
		return
	}
	switch o := object.(type) {
	case *core.ConfigMap:
		if strings.HasSuffix(o.Name, "-dashboard") {
			r.Dashboard = o
		} else {
			r.ConfigMap = o
		}
	case *apps.Deployment:
		r.Deployment = o
	case *core.Service:
		r.Service = o
	case *policy.PodDisruptionBudget:
		r.PDB = o
	case *network.NetworkPolicy:
		r.NetworkPolicy = o
	default:
		t.Fatalf("nobody expects a %T", o)
	}
}

func (g *gatewayRelease) keep(t *testing.T, object any) {
	t.Helper()
	switch o := object.(type) {
	case *core.ConfigMap:
		g.ConfigMap = o
	case *apps.Deployment:
		g.Deployment = o
	case *apps.StatefulSet:
		g.StatefulSet = o
	case *core.Service:
		g.Service = o
	case *policy.PodDisruptionBudget:
		g.PDB = o
	case *network.NetworkPolicy:
		g.NetworkPolicy = o
	case *network.Ingress:
		g.Ingress = o
	default:
		t.Fatalf("nobody expects a %T", o)
	}
}

var sets = []string{"testdata/least.yaml", "testdata/secured.yaml", "testdata/scaled.yaml", "testdata/gateway.yaml", "testdata/many.yaml"}

// The chart is clean with each set, and as it comes: that there is no account then
// is for whoever installs it.
func TestLint(t *testing.T) {
	all := map[string]map[string]any{"as it comes": {}}
	for _, set := range sets {
		all[set] = values(t, set)
	}
	for set, v := range all {
		for _, m := range lint.RunAll(chartDir, v, "crm").Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", set, m)
			}
		}
	}
	if _, err := render(t, map[string]any{}); err == nil || !strings.Contains(err.Error(), "accounts[0].appid") {
		t.Errorf("it is installed for nobody: %v", err)
	}
}

// What holds for every set.
func TestPods(t *testing.T) {
	for _, set := range sets {
		r := install(t, set)
		pod, c := r.Deployment.Spec.Template.Spec, r.Deployment.Spec.Template.Spec.Containers[0]
		sc := c.SecurityContext
		if !*pod.SecurityContext.RunAsNonRoot || !*sc.ReadOnlyRootFilesystem || *sc.AllowPrivilegeEscalation ||
			!slices.Equal(sc.Capabilities.Drop, []core.Capability{"ALL"}) || *pod.AutomountServiceAccountToken ||
			pod.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod may do more than it needs: %+v %+v", set, pod.SecurityContext, sc)
		}
		if c.LivenessProbe.HTTPGet.Path != "/livez" || c.ReadinessProbe.HTTPGet.Path != "/readyz?exclude=holds" {
			t.Errorf("%s: probes are %v and %v", set, c.LivenessProbe.HTTPGet, c.ReadinessProbe.HTTPGet)
		}
		var cfg struct {
			Shutdown struct{ Grace string }
		}
		if err := yaml.Unmarshal([]byte(r.ConfigMap.Data["wxenrich.yaml"]), &cfg); err != nil {
			t.Fatal(err)
		}
		grace, err := time.ParseDuration(cfg.Shutdown.Grace)
		if err != nil || *pod.TerminationGracePeriodSeconds < int64(grace.Seconds())+10 {
			t.Errorf("%s: Kubernetes waits %d s, the service needs %v and a little", set, *pod.TerminationGracePeriodSeconds, cfg.Shutdown.Grace)
		}
		limit, env := c.Resources.Limits.Memory().Value(), map[string]string{}
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		got := quantity(t, env["GOMEMLIMIT"])
		if got > limit*9/10 || got < limit*8/10 {
			t.Errorf("%s: GOMEMLIMIT is %s of %d", set, env["GOMEMLIMIT"], limit)
		}
		if !r.Service.Spec.PublishNotReadyAddresses {
			t.Errorf("%s: nobody sees the metrics of a pod that is not ready", set)
		}
		for _, selector := range []map[string]string{r.Deployment.Spec.Selector.MatchLabels, r.Service.Spec.Selector, r.PDB.Spec.Selector.MatchLabels} {
			for k, v := range selector {
				if r.Deployment.Spec.Template.Labels[k] != v {
					t.Errorf("%s: %s=%s selects no pod", set, k, v)
				}
			}
		}
		if want := fmt.Sprintf("0.0.0.0:%d", c.Ports[0].ContainerPort); env["WXENRICH_HTTP_LISTEN"] != want || r.Service.Spec.Ports[0].TargetPort.StrVal != c.Ports[0].Name {
			t.Errorf("%s: it listens on %s, the pod has %s", set, env["WXENRICH_HTTP_LISTEN"], want)
		}
	}
}

// quantity is GOMEMLIMIT in bytes; the runtime writes MiB where Kubernetes
// writes Mi.
func quantity(t *testing.T, s string) int64 {
	t.Helper()
	q, err := resource.ParseQuantity(strings.TrimSuffix(s, "B"))
	if err != nil {
		t.Fatal(err)
	}
	return q.Value()
}

// Secrets are named and mounted: no object holds one, and each file that the
// configuration names is there.
func TestSecretsByReference(t *testing.T) {
	type pod struct {
		set  string
		spec *core.PodSpec
		conf *core.ConfigMap
	}
	var pods []pod
	for _, set := range sets {
		r := install(t, set)
		pods = append(pods, pod{set, &r.Deployment.Spec.Template.Spec, r.ConfigMap})
		if g := r.Gateway; g.Deployment != nil {
			pods = append(pods, pod{set + ", the gateway", &g.Deployment.Spec.Template.Spec, g.ConfigMap})
		} else if g.StatefulSet != nil {
			pods = append(pods, pod{set + ", the gateway", &g.StatefulSet.Spec.Template.Spec, g.ConfigMap})
		}
	}
	if len(pods) != len(sets)+2 {
		t.Errorf("%d kinds of pods", len(pods))
	}
	for _, p := range pods {
		set, mounted := p.set, map[string]bool{}
		for _, v := range p.spec.Volumes {
			if v.Projected == nil {
				continue
			}
			if mode := *v.Projected.DefaultMode; mode&0o007 != 0 {
				t.Errorf("%s: anybody may read the secrets, mode %04o", set, mode)
			}
			if v.Name != "secrets" {
				continue // accounts_dir, whose files name what is in there
			}
			for _, source := range v.Projected.Sources {
				for _, item := range source.Secret.Items {
					mounted["/run/secrets/wxenrich/"+item.Path] = true
				}
			}
		}
		text := p.conf.Data["wxenrich.yaml"]
		for path := range mounted {
			if !strings.Contains(text, ": "+path+"\n") {
				t.Errorf("%s: %s is mounted, and the configuration does not name it:\n%s", set, path, text)
			}
		}
		for line := range strings.Lines(text) {
			if _, path, named := strings.Cut(line, ": /run/"); named && !mounted["/run/"+strings.TrimSpace(path)] {
				t.Errorf("%s: nothing is mounted for %s", set, line)
			}
		}
	}
}

// The configuration that the chart writes is one that the service takes.
func TestConfig(t *testing.T) {
	for _, set := range sets {
		r := install(t, set)
		for _, conf := range []*core.ConfigMap{r.ConfigMap, r.Gateway.ConfigMap} {
			if conf == nil {
				continue
			}
			path, accounts := filepath.Join(t.TempDir(), "wxenrich.yaml"), t.TempDir()
			text := strings.Replace(conf.Data["wxenrich.yaml"], "/etc/wxenrich-accounts", accounts, 1)
			for path, text := range map[string]string{path: text, filepath.Join(accounts, "one.yaml"): "appid: wx00000000000000d1\n" +
				"secret_file: /run/secrets/wxenrich-accounts/one\npush: {token_file: /run/secrets/wxenrich-accounts/one-push}\n"} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.CommandContext(t.Context(), "go", "run", "-C", "../..", "./cmd/wxenrich", "config", "check", "--config", path)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s, %s: %v\n%s", set, conf.Name, err, out)
			}
		}
	}
}

func TestLeast(t *testing.T) {
	r := install(t, "testdata/least.yaml")
	if r.Gateway != (gatewayRelease{}) || r.ScaledObject != nil || r.ServiceMonitor != nil || r.PrometheusRule != nil || r.Dashboard != nil {
		t.Error("what nobody asked for is made, on a cluster that may not know it")
	}
	if n := *r.Deployment.Spec.Replicas; n != 2 {
		t.Errorf("%d replicas", n)
	}
	if r.PDB.Spec.MaxUnavailable.IntValue() != 1 || *r.PDB.Spec.UnhealthyPodEvictionPolicy != policy.AlwaysAllow {
		t.Errorf("the disruption budget is %+v", r.PDB.Spec)
	}
	if p := r.NetworkPolicy.Spec; len(p.PolicyTypes) != 2 || p.Ingress[0].Ports[0].Port.IntValue() != 9464 || len(p.Ingress[0].From) != 1 {
		t.Errorf("the network policy is %+v", p)
	}
	if image := r.Deployment.Spec.Template.Spec.Containers[0].Image; strings.HasSuffix(image, ":") || !strings.Contains(image, ":") {
		t.Errorf("the image is %s", image)
	}
	one := values(t, "testdata/least.yaml")
	one["replicas"] = 1
	files, err := render(t, one)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.TrimSpace(files["wxenrich/templates/pdb.yaml"]); text != "" {
		t.Errorf("a budget for a single pod keeps its node from being drained:\n%s", text)
	}
}

func TestSecured(t *testing.T) {
	r := install(t, "testdata/secured.yaml")
	image := r.Deployment.Spec.Template.Spec.Containers[0].Image
	if !strings.Contains(image, "@sha256:") {
		t.Errorf("the image is %s", image)
	}
	if auth := r.ServiceMonitor.Spec.Endpoints[0].Authorization; auth == nil || auth.Credentials.Name != "wx-http" || r.ServiceMonitor.Labels["release"] != "prometheus" {
		t.Errorf("the service monitor is %+v", r.ServiceMonitor)
	}
	if n := len(r.PrometheusRule.Spec.Groups[0].Rules); n < 10 {
		t.Errorf("%d alerts", n)
	}
	if r.Dashboard.Labels["grafana_dashboard"] != "1" || !strings.Contains(r.Dashboard.Data["wxenrich.json"], `"panels"`) {
		t.Error("Grafana finds no dashboard")
	}
	egress := r.NetworkPolicy.Spec.Egress
	if r.NetworkPolicy.Spec.Ingress[0].From[0].NamespaceSelector == nil || egress[1].To[0].PodSelector == nil || egress[len(egress)-1].Ports[0].Port.IntValue() != 4318 {
		t.Errorf("the network policy is %+v", r.NetworkPolicy.Spec)
	}
	for _, text := range []string{"tls_cert: /run/", "tls_ca: /run/", "password_file: /run/", "token_file: /run/", "concurrency: 16", "grace: 60s", "inbox_prefix: _INBOX_crm"} {
		if !strings.Contains(r.ConfigMap.Data["wxenrich.yaml"], text) {
			t.Errorf("no %q in\n%s", text, r.ConfigMap.Data["wxenrich.yaml"])
		}
	}
}

// A trigger for each account, whose threshold is in events; and no more
// replicas than the day's calls keep busy: ten million calls of half a second
// are 58 at a time, and a replica has eight for one account.
func TestScaled(t *testing.T) {
	r := install(t, "testdata/scaled.yaml")
	s := r.ScaledObject.Spec
	if r.Deployment.Spec.Replicas != nil {
		t.Error("the deployment and the scaler both say how many replicas there are")
	}
	if s.ScaleTargetRef.Name != r.Deployment.Name || s.MinReplicaCount != 2 || s.MaxReplicaCount != 8 {
		t.Errorf("it scales %+v", s)
	}
	if r.NetworkPolicy != nil || r.PDB.Spec.MaxUnavailable.IntValue() != 2 {
		t.Errorf("%+v, %+v", r.NetworkPolicy, r.PDB)
	}
	want := []map[string]string{
		{"stream": "EVENTS", "consumer": "wxenrich-wx0123456789abcdef", "lagThreshold": "2000"},
		{"stream": "CRM_wxfedcba9876543210", "consumer": "crm", "lagThreshold": "1000"},
	}
	for i, trigger := range s.Triggers {
		want[i]["natsServerMonitoringEndpoint"], want[i]["account"], want[i]["useHttps"] = "nats.nats.svc:8222", "WX", "false"
		if trigger.Type != "nats-jetstream" || !maps.Equal(trigger.Metadata, want[i]) {
			t.Errorf("trigger %d is %+v, want %v", i, trigger, want[i])
		}
	}
	for _, c := range []struct {
		calls, least, most int
		limits             []any // of the accounts
		want               int
	}{
		{5_000_000, 1, 10, nil, 4}, {500_000, 1, 10, nil, 1}, {500_000, 3, 10, nil, 3}, {50_000_000, 1, 10, nil, 10},
		{5_000_000, 1, 10, []any{1000, 500_000}, 1}, {5_000_000, 1, 10, []any{1000, "auto"}, 4}, {5_000_000, 1, 10, []any{1000, 90_000_000}, 4},
	} {
		v := values(t, "testdata/scaled.yaml")
		for i, limit := range c.limits {
			account := v["accounts"].([]any)[i].(map[string]any)
			config, _ := account["config"].(map[string]any)
			config = maps.Clone(config)
			if config == nil {
				config = map[string]any{}
			}
			config["quota"] = map[string]any{"limit": limit}
			account["config"] = config
		}
		v["autoscaling"] = map[string]any{"enabled": true, "minReplicas": c.least, "maxReplicas": c.most, "quota": map[string]any{"callsPerDay": c.calls, "callSeconds": 0.5}}
		files, err := render(t, v)
		if err != nil {
			t.Fatal(err)
		}
		if text := files["wxenrich/templates/scaledobject.yaml"]; !strings.Contains(text, fmt.Sprintf("maxReplicaCount: %d\n", c.want)) {
			t.Errorf("%+v:\n%s", c, text)
		}
	}
}

// The gateway is reached by the Ingress, reaches NATS and nobody else, as a user
// of its own, and knows its accounts' streams and no AppSecret.
func TestGateway(t *testing.T) {
	r := install(t, "testdata/gateway.yaml")
	g := r.Gateway
	pod, c := g.Deployment.Spec.Template.Spec, g.Deployment.Spec.Template.Spec.Containers[0]
	sc := c.SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || !*sc.ReadOnlyRootFilesystem || *sc.AllowPrivilegeEscalation ||
		!slices.Equal(sc.Capabilities.Drop, []core.Capability{"ALL"}) || *pod.AutomountServiceAccountToken {
		t.Errorf("the pod may do more than it needs: %+v %+v", pod.SecurityContext, sc)
	}
	if c.LivenessProbe.HTTPGet.Path != "/livez" || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.Args[0] != "gateway" {
		t.Errorf("%v, probes %v and %v", c.Args, c.LivenessProbe.HTTPGet, c.ReadinessProbe.HTTPGet)
	}
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for _, e := range c.Env {
		want := map[string]string{"GOMEMLIMIT": "230MiB", "WXENRICH_GATEWAY_LISTEN": fmt.Sprintf("0.0.0.0:%d", ports["push"]),
			"WXENRICH_GATEWAY_HTTP_LISTEN": fmt.Sprintf("0.0.0.0:%d", ports["http"])}[e.Name]
		if e.Value != want {
			t.Errorf("%s is %s, want %s", e.Name, e.Value, want)
		}
	}
	path := g.Ingress.Spec.Rules[0].HTTP.Paths[0]
	if g.Ingress.Spec.Rules[0].Host != "wx.example.com" || path.Path != "/wechat" || path.Backend.Service.Name != g.Service.Name ||
		g.Ingress.Spec.TLS[0].SecretName != "wx-tls" || *g.Ingress.Spec.IngressClassName != "nginx" {
		t.Errorf("the ingress is %+v", g.Ingress.Spec)
	}
	for _, p := range g.Service.Spec.Ports {
		if ports[p.TargetPort.StrVal] == 0 {
			t.Errorf("the service leads to %v", p)
		}
	}
	for _, selector := range []map[string]string{g.Deployment.Spec.Selector.MatchLabels, g.Service.Spec.Selector, g.PDB.Spec.Selector.MatchLabels,
		g.NetworkPolicy.Spec.PodSelector.MatchLabels, g.ServiceMonitor.Spec.Selector.MatchLabels} {
		if !maps.Equal(selector, g.Deployment.Spec.Selector.MatchLabels) || selector["app.kubernetes.io/name"] == r.Service.Spec.Selector["app.kubernetes.io/name"] {
			t.Errorf("%v selects others than the gateway's pods", selector)
		}
	}
	for _, e := range g.NetworkPolicy.Spec.Egress {
		for _, p := range e.Ports {
			if n := p.Port.IntValue(); n != 53 && n != 4222 {
				t.Errorf("it may reach port %d", n)
			}
		}
	}
	if from := g.NetworkPolicy.Spec.Ingress[0]; from.Ports[0].Port.IntValue() != int(ports["push"]) || from.From[0].NamespaceSelector == nil {
		t.Errorf("pushes come by %+v", from)
	}
	text := g.ConfigMap.Data["wxenrich.yaml"]
	for want, has := range map[string]bool{"stream: CRM_{appid}": true, "/nats/creds": true, "inbox_prefix: _INBOX_gateway": true, "password": false, "secret_file": false,
		"/push/wxfedcba9876543210/aes-key": true, "encrypted_only: true": true} {
		if strings.Contains(text, want) != has {
			t.Errorf("%q is in it: %v\n%s", want, !has, text)
		}
	}
	for _, source := range pod.Volumes[1].Projected.Sources {
		if source.Secret.Name == "nats" || source.Secret.Name == "wx" {
			t.Errorf("the gateway is given %s, which is the service's", source.Secret.Name)
		}
	}
}

// Files of accounts are mounted whole, so that a change of them reaches the pods;
// the gateway has them, and none of the service's secrets. What waits in its spool
// is on a volume of each replica's own.
func TestMany(t *testing.T) {
	r := install(t, "testdata/many.yaml")
	if r.Gateway.Deployment != nil {
		t.Error("the gateway has no volumes of its own")
	}
	set := r.Gateway.StatefulSet
	for name, pod := range map[string]core.PodSpec{"service": r.Deployment.Spec.Template.Spec, "gateway": set.Spec.Template.Spec} {
		paths := map[string]string{}
		for _, m := range pod.Containers[0].VolumeMounts {
			if m.SubPath != "" {
				t.Errorf("%s: a change of %s does not reach %s", name, m.Name, m.MountPath)
			}
			paths[m.Name] = m.MountPath
		}
		var secrets []string
		for _, v := range pod.Volumes {
			switch v.Name {
			case "accounts":
				if s := v.Projected.Sources; len(s) != 2 || s[0].ConfigMap.Name != "wx-accounts" || s[1].Secret.Name != "wx-more-accounts" {
					t.Errorf("%s: accounts come from %+v", name, s)
				}
			case "accounts-secrets":
				for _, s := range v.Projected.Sources {
					secrets = append(secrets, s.Secret.Name)
				}
			}
		}
		if want := map[string]string{"service": "wx-appsecrets", "gateway": "wx-push-tokens"}[name]; !slices.Equal(secrets, []string{want}) {
			t.Errorf("%s: it has the secrets %v, want %s", name, secrets, want)
		}
		if paths["accounts"] != "/etc/wxenrich-accounts" || paths["accounts-secrets"] != "/run/secrets/wxenrich-accounts" {
			t.Errorf("%s: mounts are %v", name, paths)
		}
		text := map[string]string{"service": r.ConfigMap.Data["wxenrich.yaml"], "gateway": r.Gateway.ConfigMap.Data["wxenrich.yaml"]}[name]
		if !strings.Contains(text, "accounts_dir: /etc/wxenrich-accounts\n") {
			t.Errorf("%s: no accounts_dir in\n%s", name, text)
		}
		if name == "gateway" {
			spool := paths["spool"]
			if spool == "" || !strings.Contains(text, "dir: "+spool+"/") || !strings.Contains(text, "max_bytes: 512MiB") || !strings.Contains(text, "max_skew: 10m") {
				t.Errorf("the spool is on %q:\n%s", spool, text)
			}
		}
	}
	claim := set.Spec.VolumeClaimTemplates[0]
	if size := claim.Spec.Resources.Requests.Storage(); claim.Name != "spool" || size.String() != "2Gi" || *claim.Spec.StorageClassName != "fast" {
		t.Errorf("the volume is %+v", claim)
	}
	if set.Spec.ServiceName != r.Gateway.Service.Name || set.Spec.PodManagementPolicy != apps.ParallelPodManagement {
		t.Errorf("the set is %+v", set.Spec)
	}
	if !maps.Equal(set.Spec.Selector.MatchLabels, r.Gateway.Service.Spec.Selector) || !maps.Equal(set.Spec.Selector.MatchLabels, r.Gateway.PDB.Spec.Selector.MatchLabels) {
		t.Error("service and budget select others")
	}
}

// What the chart cannot do, or what would put a secret where anybody reads it,
// is refused before anything is made.
func TestRefused(t *testing.T) {
	account := func(more string) string {
		return "accounts: [{appid: wx0123456789abcdef, secret: {name: wx, key: appsecret}" + more + "}]\n"
	}
	for name, text := range map[string]string{
		"no account":                    "replicas: 1",
		"no secret":                     "accounts: [{appid: wx0123456789abcdef}]",
		"a secret by value":             "accounts: [{appid: wx0123456789abcdef, secret: 0123456789abcdef0123456789abcdef}]",
		"a secret's file":               account(", config: {secret_file: /x}"),
		"a bad appid":                   "accounts: [{appid: \"a b\", secret: {name: wx, key: k}}]",
		"a misspelt key":                account("") + "replica: 3",
		"none to do the jobs":           account("") + "autoscaling: {minReplicas: 0}",
		"a password in the URL":         account("") + "nats: {url: \"nats://u:p@nats:4222\"}",
		"its own listener":              account("") + "config: {http: {listen: x}}",
		"its own grace":                 account("") + "config: {shutdown: {grace: 1h}}",
		"no memory limit":               account("") + "resources: {limits: {memory: null}}",
		"a limit in bytes":              account("") + "resources: {limits: {memory: \"500000000\"}}",
		"a privileged port":             account("") + "http: {port: 80}",
		"a gateway of nobody":           account("") + "gateway: {enabled: true}",
		"a push token by value":         account("") + "gateway: {enabled: true, accounts: [{appid: wx1, token: abc}]}",
		"an ingress of no host":         account("") + "gateway: {enabled: true, accounts: [{appid: wx1, token: {name: p, key: t}}], ingress: {enabled: true}}",
		"a spool without disk":          account("") + "config: {gateway: {spool: {dir: /x}}}",
		"an empty folder":               "accountsDir: {sources: []}",
		"a folder of the host":          "accountsDir: {sources: [{hostPath: {path: /x}}]}",
		"a gateway's folder of nothing": account("") + "gateway: {enabled: true, accountsDir: {enabled: true}}",
		"a spool without end":           account("") + "gateway: {enabled: true, accounts: [{appid: wx1, token: {name: p, key: t}}], spool: {enabled: true, maxBytes: all}}",
		"scaling by nobody":             "accountsDir: {sources: [{secret: {name: x}}]}\nautoscaling: {enabled: true}",
		"a password of nobody":          account("") + "nats: {passwordSecret: {name: n, key: p}}",
	} {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if _, err := render(t, v); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
