package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// init lets the test binary be what else a reader has on the path.
func init() {
	be := map[string]func([]string) error{"nats": natsCLI, "curl": curl}[os.Getenv("BE")]
	if be == nil {
		return
	}
	if err := be(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// natsCLI is the part of the nats CLI that the README uses.
func natsCLI(args []string) error {
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch what := strings.Join(args[:min(2, len(args))], " "); {
	case args[0] == "pub":
		m, err := pubMessage(args[1:])
		if err != nil {
			return err
		}
		if err := nc.PublishMsg(m); err != nil {
			return err
		}
		return nc.Flush()
	case what == "stream get" && len(args) == 5 && args[3] == "-S":
		s, err := js.Stream(ctx, args[2])
		if err != nil {
			return err
		}
		m, err := s.GetLastMsgForSubject(ctx, args[4])
		if err != nil {
			return err
		}
		fmt.Println(m.Subject, m.Header, string(m.Data))
		return nil
	case what == "stream edit" && len(args) == 5 && args[3] == "--max-age":
		s, err := js.Stream(ctx, args[2])
		if err != nil {
			return err
		}
		cfg := s.CachedInfo().Config
		days, err := strconv.Atoi(strings.TrimSuffix(args[4], "d"))
		if err != nil {
			return err
		}
		cfg.MaxAge = time.Duration(days) * 24 * time.Hour
		_, err = js.UpdateStream(ctx, cfg)
		return err
	case what == "stream rm" && len(args) == 4 && args[2] == "-f":
		return js.DeleteStream(ctx, args[3])
	case what == "consumer rm" && len(args) == 5 && args[2] == "-f":
		return js.DeleteConsumer(ctx, args[3], args[4])
	}
	return fmt.Errorf("nats %q is not part of this test", args)
}

// pubMessage reads the arguments of nats pub.
func pubMessage(args []string) (*nats.Msg, error) {
	m := &nats.Msg{Header: nats.Header{}}
	var plain []string
	for len(args) > 0 {
		switch args[0] {
		case "-H":
			name, value, _ := strings.Cut(args[1], ":")
			m.Header[name] = []string{value}
			args = args[2:]
		case "--force-stdin":
			data, err := io.ReadAll(os.Stdin)
			if err != nil {
				return nil, err
			}
			m.Data, args = data, args[1:]
		default:
			plain, args = append(plain, args[0]), args[1:]
		}
	}
	if len(plain) == 2 {
		m.Data = []byte(plain[1])
	}
	if len(plain) == 0 || len(plain) > 2 {
		return nil, fmt.Errorf("nats pub %q: want a subject and a body", plain)
	}
	m.Subject = plain[0]
	return m, nil
}

// curl prints what its last argument is the address of.
func curl(args []string) error {
	resp, err := http.Get(args[len(args)-1])
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}
