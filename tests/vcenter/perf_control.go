package main

import (
	"fmt"
	"net/http"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// vmSampleChange is what a VM's samples are to show; what is absent stays.
type vmSampleChange struct {
	VM             string   `json:"vm"`
	ActiveWriteMiB *float64 `json:"active_write_mib"`
	SwapInKiBps    *float64 `json:"swap_in_kibps"`
	NetworkKiBps   *float64 `json:"network_kibps"`
	Gaps           *bool    `json:"gaps"`
	Negatives      *bool    `json:"negatives"`
	Silent         *bool    `json:"silent"`
	Denied         *bool    `json:"denied"`
	AgeSeconds     *float64 `json:"age_seconds"`
}

// statistics changes what the performance manager answers.
func (c *control) statistics(req *http.Request) (any, error) {
	var ask struct {
		LargestBatch *int             `json:"largest_batch"`
		MostMetrics  *int             `json:"most_metrics"`
		Denied       *bool            `json:"denied"`
		Off          *bool            `json:"off"`
		Past         *bool            `json:"past"`
		VMs          []vmSampleChange `json:"vms"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	for _, change := range ask.VMs {
		v, err := c.vm(change.VM)
		if err != nil {
			return nil, err
		}
		change.apply(&v.samples)
	}
	s := &c.world.samples
	assign(&s.isDenied, ask.Denied)
	assign(&s.isOff, ask.Off)
	assign(&s.keepsPast, ask.Past)
	assign(&s.largestBatch, ask.LargestBatch)
	if ask.MostMetrics != nil {
		s.mostMetrics = *ask.MostMetrics
		c.world.showMostMetrics()
	}
	return done(), nil
}

func (d vmSampleChange) apply(s *vmSamples) {
	for _, f := range []struct {
		from *float64
		to   **float64
	}{
		{d.ActiveWriteMiB, &s.activeWriteMiB}, {d.SwapInKiBps, &s.swapInKiBps}, {d.NetworkKiBps, &s.networkKiBps},
	} {
		if f.from != nil {
			*f.to = f.from
		}
	}
	assign(&s.hasGaps, d.Gaps)
	assign(&s.hasNegatives, d.Negatives)
	assign(&s.isSilent, d.Silent)
	assign(&s.isDenied, d.Denied)
	if d.AgeSeconds != nil {
		s.age = seconds(*d.AgeSeconds)
	}
}

// assign takes a value that was given.
func assign[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// showMostMetrics writes the limit into the server's settings; 0 removes it.
func (w *world) showMostMetrics() {
	instance := w.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance)
	settings := w.ctx.Map.Get(*instance.Content.Setting).(*simulator.OptionManager)
	var kept []types.BaseOptionValue
	for _, option := range settings.Setting {
		if option.GetOptionValue().Key != limitOption {
			kept = append(kept, option)
		}
	}
	if most := w.samples.mostMetrics; most > 0 {
		kept = append(kept, &types.OptionValue{Key: limitOption, Value: fmt.Sprint(most)})
	}
	settings.Setting = kept
}

// setClock puts the server's clock forward or back.
func (c *control) setClock(req *http.Request) (any, error) {
	var ask struct {
		OffsetSeconds float64 `json:"offset_seconds"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	c.world.samples.clockOffset = seconds(ask.OffsetSeconds)
	return done(), nil
}

// permissions says what the account may not see: properties of an object, or
// the object altogether.
func (c *control) permissions(req *http.Request) (any, error) {
	var ask struct {
		Object    string   `json:"object"`
		Paths     []string `json:"paths"`
		Invisible bool     `json:"invisible"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	id := ""
	if v := c.world.findVM(ask.Object); v != nil {
		id = v.spec.ID
	} else if h := c.world.findHost(ask.Object); h != nil {
		id = h.spec.ID
	} else {
		return nil, fmt.Errorf("object %q: %w", ask.Object, errNotThere)
	}
	c.world.barred[id] = bar{paths: ask.Paths, invisible: ask.Invisible}
	return done(), nil
}
