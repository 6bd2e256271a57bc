package export

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// checkEnv refuses endpoints and headers that the exporters could not read: they
// print such a value, which may hold a collector's password, and go on without.
// What it says never repeats one.
func checkEnv(getenv func(string) string) error {
	var errs []error
	for _, signal := range []string{"", "TRACES_", "METRICS_", "LOGS_"} {
		name := "OTEL_EXPORTER_OTLP_" + signal + "ENDPOINT"
		if _, err := url.Parse(getenv(name)); err != nil {
			errs = append(errs, fmt.Errorf("%s: is not a URL: want one such as http://collector:4318", name))
		}
		name = "OTEL_EXPORTER_OTLP_" + signal + "HEADERS"
		if headers := getenv(name); headers != "" {
			for i, pair := range strings.Split(headers, ",") {
				if !readable(pair) {
					errs = append(errs, fmt.Errorf("%s: the entry at place %d is not name=value: want entries with a comma between them, and other signs in them as %%20 for a space", name, i+1))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// readable reports whether all exporters can read a header.
func readable(pair string) bool {
	name, value, ok := strings.Cut(pair, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) {
			return false
		}
	}
	_, err := url.PathUnescape(value)
	return err == nil
}
