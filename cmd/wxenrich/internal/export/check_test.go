package export

import (
	"strings"
	"testing"
)

// What the exporters cannot read they print; it is refused before, in words that
// do not repeat it.
func TestUnreadableSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        "http://u:canary@h:zz",
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT":   "http://u:ca%zznary@h",
		"OTEL_EXPORTER_OTLP_HEADERS":         "authorization=Bearer%20canary,canary",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":  "authorization=canary,",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "authorization=%zzcanary",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":    "canary canary=x",
	} {
		getenv := env(name, value, "OTEL_TRACES_EXPORTER", "otlp")
		if _, err := Start(t.Context(), getenv, "1.0.0"); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		if _, err := Start(t.Context(), env(name, value, "OTEL_SDK_DISABLED", "true"), "1.0.0"); err != nil {
			t.Errorf("%s is refused though nothing is sent: %v", name, err)
		}
	}
	for _, headers := range []string{"authorization=Bearer%20x", " a = b , c-d=e=="} {
		if err := checkEnv(env("OTEL_EXPORTER_OTLP_HEADERS", headers)); err != nil {
			t.Errorf("%q: %v", headers, err)
		}
	}
}
