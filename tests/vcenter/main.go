// Command vcenter serves one cluster from a snapshot v1 file as a vCenter over
// SOAP, with load that follows the VMs, migrations that take time, and an HTTP
// control for tests. See README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// options are the command line.
type options struct {
	snapshot         string
	listen           string
	username         string
	password         string
	migrationSeconds float64
	hostSlots        int
	verbose          bool
}

// greeting is the one line on stdout that says how to reach the server.
type greeting struct {
	URL            string `json:"url"`
	Control        string `json:"control"`
	Username       string `json:"username"`
	Password       string `json:"password"`
	Thumbprint     string `json:"thumbprint_sha256"`
	CertificatePEM string `json:"certificate_pem"`
	InstanceUUID   string `json:"instance_uuid"`
	APIVersion     string `json:"api_version"`
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("vcenter", flag.ContinueOnError)
	flags.StringVar(&o.snapshot, "snapshot", "", "snapshot v1 file to serve")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the SOAP port")
	flags.StringVar(&o.username, "username", "administrator@vsphere.local", "user that may log in")
	flags.StringVar(&o.password, "password", "secret", "password of that user")
	flags.Float64Var(&o.migrationSeconds, "migration-seconds", 2, "how long a migration takes")
	flags.IntVar(&o.hostSlots, "host-slots", 8, "simultaneous migrations per host; more stay queued")
	flags.BoolVar(&o.verbose, "verbose", false, "log to stderr")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.snapshot == "" || flags.NArg() > 0 {
		return o, fmt.Errorf("usage: vcenter -snapshot FILE [options]")
	}
	if o.hostSlots < 1 || o.migrationSeconds < 0 {
		return o, fmt.Errorf("-host-slots starts at 1, -migration-seconds at 0")
	}
	return o, nil
}

func main() {
	opts, err := parseOptions(os.Args[1:])
	if err == nil {
		err = run(opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vcenter:", err)
		os.Exit(1)
	}
}

// run serves until stdin closes.
func run(opts options) error {
	if !opts.verbose {
		log.SetOutput(io.Discard)
	}
	snap, err := loadSnapshot(opts.snapshot)
	if err != nil {
		return err
	}
	w, err := newWorld(snap, opts)
	if err != nil {
		return err
	}
	hello, err := serve(w)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// serve opens both ports.
func serve(w *world) (*greeting, error) {
	id, err := newIdentity()
	if err != nil {
		return nil, err
	}
	controlPort, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := newGate(w, soapHandler(w))
	soap := &http.Server{
		Handler: g, TLSConfig: id.config, ConnState: g.track, ReadHeaderTimeout: time.Minute, ErrorLog: log.Default(),
	}
	soapPort, err := openPort(w.options.listen, soap, g)
	if err != nil {
		return nil, err
	}
	control := &http.Server{Handler: newControl(w, g, soapPort), ReadHeaderTimeout: time.Minute}
	go func() { log.Print(control.Serve(controlPort)) }()
	return &greeting{
		URL: "https://" + soapPort.address + "/sdk", Control: "http://" + controlPort.Addr().String(),
		Username: w.options.username, Password: w.options.password,
		Thumbprint: id.thumbprint, CertificatePEM: id.pem,
		InstanceUUID: w.about().InstanceUuid, APIVersion: apiVersion,
	}, nil
}

// soapHandler registers the service under its usual paths.
func soapHandler(w *world) http.Handler {
	s := w.service
	s.Listen = &url.URL{Scheme: "https", Host: w.options.listen, User: url.UserPassword(w.options.username, w.options.password)}
	s.RegisterSDK(w.ctx.Map, w.ctx.Map.Path+"/vimService")
	s.ServeMux.HandleFunc(w.ctx.Map.Path+"/vimServiceVersions.xml", s.ServiceVersions)
	if err := w.serveTags(s.ServeMux, s.Listen); err != nil {
		log.Fatal(err) // a fault of this program: the values were checked when they were loaded
	}
	return s.ServeMux
}
