package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
)

// NoProxy is the proxy of an account that uses none, whatever the environment
// says.
const NoProxy = "none"

var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// ProxyURL is the account's own proxy; nil when it names none. The error never
// holds the text, in which there may be a password.
func (a *Account) ProxyURL() (*url.URL, error) {
	if a.Proxy == "" || a.Proxy == NoProxy {
		return nil, nil
	}
	u, err := url.Parse(a.Proxy)
	switch {
	case err != nil || !slices.Contains(proxySchemes, u.Scheme) || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("is not a proxy: want one such as http://proxy.example:3128, or none")
	case u.User != nil:
		return nil, errors.New("holds a user or password: want it without; for a proxy that asks for one leave it empty and set the variable HTTPS_PROXY")
	}
	return u, nil
}

// Authorities are the system's and those of ca_file; nil when there is no such
// file.
func (a *Account) Authorities() (*x509.CertPool, error) {
	if a.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.CAFile, plain(err))
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without a store: the file's are all there is
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", a.CAFile)
	}
	return pool, nil
}
