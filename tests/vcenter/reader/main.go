// Command reader reads properties of all objects of some classes with govmomi
// and says what that took. It is the Go client of the collect benchmark.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// order is what to read, one JSON object on stdin.
type order struct {
	URL      string   `json:"url"`
	Username string   `json:"username"`
	Password string   `json:"password"`
	CAFile   string   `json:"ca_file"`
	PageSize int32    `json:"page_size"`
	Reads    []wanted `json:"reads"`
	Repeats  int      `json:"repeats"`
}

type wanted struct {
	Kind  string   `json:"kind"`
	Paths []string `json:"paths"`
}

// used is what one round of all reads took, one JSON object on stdout.
type used struct {
	CPUSeconds  []float64 `json:"cpu_s"`
	WallSeconds []float64 `json:"wall_s"`
	PeakMiB     float64   `json:"peak_mib"`
	Objects     int       `json:"objects"`
	Values      int       `json:"values"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "reader:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	client, err := login(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = client.Logout(ctx) }()
	found := used{}
	for range max(1, o.Repeats) {
		cpu, wall := cpuSeconds(), time.Now()
		if err := round(ctx, client, o, &found); err != nil {
			return err
		}
		found.CPUSeconds = append(found.CPUSeconds, cpuSeconds()-cpu)
		found.WallSeconds = append(found.WallSeconds, time.Since(wall).Seconds())
	}
	found.PeakMiB = peakMiB()
	return json.NewEncoder(os.Stdout).Encode(found)
}

func login(ctx context.Context, o order) (*govmomi.Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	transport := soap.NewClient(u, false)
	if err := transport.SetRootCAs(o.CAFile); err != nil {
		return nil, err
	}
	vim, err := vim25.NewClient(ctx, transport)
	if err != nil {
		return nil, err
	}
	client := &govmomi.Client{Client: vim, SessionManager: session.NewManager(vim)}
	return client, client.Login(ctx, url.UserPassword(o.Username, o.Password))
}

// round reads everything once and keeps it until the end, as a program would.
func round(ctx context.Context, client *govmomi.Client, o order, found *used) error {
	found.Objects, found.Values = 0, 0
	var kept [][]types.ObjectContent
	for _, w := range o.Reads {
		objects, err := read(ctx, client.Client, w, o.PageSize)
		if err != nil {
			return err
		}
		kept = append(kept, objects)
		found.Objects += len(objects)
		for _, content := range objects {
			found.Values += len(content.PropSet)
		}
	}
	runtime.KeepAlive(kept)
	return nil
}

// read pages through a container view of one class.
func read(ctx context.Context, client *vim25.Client, w wanted, page int32) ([]types.ObjectContent, error) {
	root := client.ServiceContent.RootFolder
	v, err := view.NewManager(client).CreateContainerView(ctx, root, []string{w.Kind}, true)
	if err != nil {
		return nil, err
	}
	defer func() { _ = v.Destroy(ctx) }()
	ref := v.Reference()
	collector := property.DefaultCollector(client).Reference()
	answer, err := methods.RetrievePropertiesEx(ctx, client, &types.RetrievePropertiesEx{
		This: collector,
		SpecSet: []types.PropertyFilterSpec{{
			ObjectSet: []types.ObjectSpec{{
				Obj: ref, Skip: types.NewBool(true),
				SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: ref.Type, Path: "view"}},
			}},
			PropSet: []types.PropertySpec{{Type: w.Kind, PathSet: w.Paths}},
		}},
		Options: types.RetrieveOptions{MaxObjects: page},
	})
	if err != nil || answer.Returnval == nil {
		return nil, err
	}
	objects, token := answer.Returnval.Objects, answer.Returnval.Token
	for token != "" {
		more, err := methods.ContinueRetrievePropertiesEx(ctx, client, &types.ContinueRetrievePropertiesEx{This: collector, Token: token})
		if err != nil {
			return nil, err
		}
		objects, token = append(objects, more.Returnval.Objects...), more.Returnval.Token
	}
	return objects, nil
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
}

func peakMiB() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return float64(r.Maxrss) / 1024
}
