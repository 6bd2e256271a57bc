package config

import (
	_ "embed"
	"strings"
	"text/template"
)

//go:embed starter.yaml.tmpl
var starterText string

var starter = template.Must(template.New("starter").Funcs(template.FuncMap{"yaml": yamlScalar}).Parse(starterText))

// Starter is what somebody says who begins.
type Starter struct {
	AppID      string
	SecretFile string
	Format     string // "msgpack" or "json"
	Embedded   bool   // a server in the process, else at URL
	URL        string
	StoreDir   string // of the embedded server
}

// Write makes a commented file that Load accepts.
func (s Starter) Write() (string, error) {
	var b strings.Builder
	err := starter.Execute(&b, s)
	return b.String(), err
}
