package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// hostReport is one host as GET /state shows it.
type hostReport struct {
	ID             string   `json:"id"`
	State          string   `json:"state"`
	VMs            []string `json:"vms"`
	Running        int      `json:"running_migrations"`
	Peak           int      `json:"peak_migrations"`
	CPUUsageMHz    float64  `json:"cpu_usage_mhz"`
	CPUCapacity    float64  `json:"cpu_capacity_mhz"`
	MemoryUsageMiB float64  `json:"memory_usage_mib"`
	MemoryCapacity float64  `json:"memory_capacity_mib"`
}

// relocationReport is one line of the relocation log.
type relocationReport struct {
	Number    int     `json:"number"`
	VM        string  `json:"vm"`
	From      string  `json:"from_host"`
	To        string  `json:"to_host"`
	Priority  string  `json:"priority"`
	User      string  `json:"user"`
	Task      *string `json:"task"`
	QueuedAt  string  `json:"queued_at"`
	StartedAt *string `json:"started_at"`
	EndedAt   *string `json:"ended_at"`
	State     string  `json:"state"`
	Fault     *string `json:"fault"`
	Message   *string `json:"message"`
	Injected  bool    `json:"injected"`
}

func (c *control) state(*http.Request) (any, error) {
	w := c.world
	hosts := map[string]hostReport{}
	for _, h := range w.hosts {
		report := hostReport{
			ID: h.spec.ID, State: h.state(), VMs: []string{}, Running: h.running, Peak: h.peak,
			CPUUsageMHz: value(h.spec.CPUUsageMHz), CPUCapacity: h.spec.CPUCapacityMHz,
			MemoryUsageMiB: value(h.spec.MemoryUsageMiB), MemoryCapacity: h.spec.MemoryCapacityMiB,
		}
		for _, v := range h.vms {
			report.VMs = append(report.VMs, v.spec.Name)
		}
		hosts[h.spec.Name] = report
	}
	return map[string]any{
		"hosts": hosts,
		"cluster": map[string]int{
			"running_migrations": w.running, "peak_migrations": w.peak, "queued_migrations": len(w.queue),
		},
		"totals": w.totals(),
	}, nil
}

// totals counts the relocations by outcome.
func (w *world) totals() map[string]int {
	totals := map[string]int{"submitted": len(w.relocations)}
	for _, state := range []string{stateQueued, stateRunning, stateSuccess, stateFailed, stateRefused, stateCancelled} {
		totals[state] = 0
	}
	for _, r := range w.relocations {
		totals[r.state]++
	}
	return totals
}

func (c *control) relocations(*http.Request) (any, error) {
	all := []relocationReport{}
	for _, r := range c.world.relocations {
		all = append(all, r.report())
	}
	return map[string]any{"relocations": all}, nil
}

func (r *relocation) report() relocationReport {
	line := relocationReport{
		Number: r.number, VM: r.vm.spec.Name, From: r.from.spec.Name, To: r.to.spec.Name,
		Priority: r.priority, User: r.user, QueuedAt: stamp(r.queued),
		StartedAt: stampOrNone(r.started), EndedAt: stampOrNone(r.ended),
		State: r.state, Injected: r.state == stateFailed,
	}
	if r.task != nil {
		line.Task = &r.task.Self.Value
	}
	if r.fault != nil {
		name := faultName(r.fault.fault)
		line.Fault, line.Message = &name, &r.fault.text
	}
	return line
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func stampOrNone(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

// forgetRelocations empties the log of what is over and sets the peaks to what
// runs now.
func (c *control) forgetRelocations(*http.Request) (any, error) {
	w := c.world
	var kept []*relocation
	for _, r := range w.relocations {
		if r.ended.IsZero() {
			kept = append(kept, r)
		}
	}
	forgotten := len(w.relocations) - len(kept)
	w.relocations, w.peak = kept, w.running
	for _, h := range w.hosts {
		h.peak = h.running
	}
	return map[string]int{"forgotten": forgotten}, nil
}

// snapshot writes the world as it is now in the format it was read from.
func (c *control) snapshot(*http.Request) (any, error) {
	w := c.world
	now := *w.snap
	now.TakenAt = time.Now().UTC().Format(time.RFC3339)
	now.Source = &Source{Kind: "simulated", Name: w.snap.Cluster.Name, InstanceUUID: w.about().InstanceUuid, APIVersion: apiVersion}
	now.InFlight = nil
	for _, r := range w.relocations {
		if r.ended.IsZero() {
			now.InFlight = append(now.InFlight, InFlight{
				VM: r.vm.spec.ID, From: r.from.spec.ID, To: r.to.spec.ID, StartedAt: stamp(r.queued), Task: r.task.Self.Value,
			})
		}
	}
	data, err := json.Marshal(&now) // here, because the values are the live ones
	return json.RawMessage(data), err
}

func (w *world) about() types.AboutInfo {
	return w.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance).Content.About
}
