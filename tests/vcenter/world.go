package main

import (
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// world is the whole simulated installation: the snapshot's values as live
// state, and the managed objects that show them on the wire.
//
// One lock guards everything. A SOAP call that only reads holds it shared, any
// other call and every timer hold it alone (see gate.go and timers), so that no
// method in this package locks anything itself unless its comment says so.
type world struct {
	mu sync.RWMutex

	options options
	snap    *Snapshot
	ctx     *simulator.Context
	service *simulator.Service

	cluster *clusterObject
	hosts   []*hostState
	vms     []*vmState
	hostIDs map[string]*hostState
	vmIDs   map[string]*vmState
	modes   evcOrder

	datastores map[string]*mo.Datastore
	networks   map[string]mo.Entity
	groups     groupBook

	migrationTime time.Duration
	relocations   []*relocation
	queue         []*relocation
	running       int
	peak          int

	rights *rightsBook
	faults *faultBook
	bell   *bell

	samples sampleSwitches
	clock   *serverClock
	barred  map[string]bar // by id of the object
}

// hostState is a host: its snapshot values, its managed object and what runs.
type hostState struct {
	spec *Host
	obj  *hostObject
	vms  []*vmState

	running  int // migrations in and out, now
	peak     int // most of them at one time
	arriving []*relocation
	entering *maintenance
}

// vmState is a VM: its snapshot values, its managed object and its work.
type vmState struct {
	spec *VM
	obj  *vmObject
	host *hostState

	busy          *relocation
	migrationTime *time.Duration
	samples       vmSamples
	hidden        map[string]bool // property paths that are unset on the wire
}

// hostObject is a host on the wire.
type hostObject struct {
	mo.HostSystem
	world *world
	state *hostState
}

// vmObject is a VM on the wire.
type vmObject struct {
	mo.VirtualMachine
	world *world
	state *vmState
}

// clusterObject is the cluster on the wire.
type clusterObject struct {
	mo.ClusterComputeResource
	world      *world
	evcManager types.ManagedObjectReference
}

// after runs f alone on the world, some time from now.
func (w *world) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		f()
	})
}

// update sets properties of an object and tells whoever waits for updates.
func (w *world) update(obj mo.Reference, changes ...types.PropertyChange) {
	w.ctx.Map.Update(w.ctx, obj, changes)
}

func set(name string, val any) types.PropertyChange {
	return types.PropertyChange{Name: name, Val: val}
}

func ref(kind, id string) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: kind, Value: id}
}

// findHost looks a host up by name or id.
func (w *world) findHost(key string) *hostState {
	if h, ok := w.hostIDs[key]; ok {
		return h
	}
	i := slices.IndexFunc(w.hosts, func(h *hostState) bool { return h.spec.Name == key })
	if i < 0 {
		return nil
	}
	return w.hosts[i]
}

// findVM looks a VM up by name or id.
func (w *world) findVM(key string) *vmState {
	if v, ok := w.vmIDs[key]; ok {
		return v
	}
	i := slices.IndexFunc(w.vms, func(v *vmState) bool { return v.spec.Name == key })
	if i < 0 {
		return nil
	}
	return w.vms[i]
}

func (v *vmState) isOn() bool { return v.spec.Power == "" || v.spec.Power == "on" }

func (v *vmState) hasBlocker(word string) bool { return slices.Contains(v.spec.Blockers, word) }

// consumedMiB is the host memory a running VM holds; its size where unknown.
func (v *vmState) consumedMiB() float64 {
	if !v.isOn() {
		return 0
	}
	if known := firstKnown(v.spec.MemoryConsumedMiB, v.spec.MemoryGrantedMiB); known != nil {
		return *known
	}
	return v.spec.MemoryMiB
}

// state is the host's state word, "connected" where the file has none.
func (h *hostState) state() string {
	if h.spec.State == "" {
		return "connected"
	}
	return h.spec.State
}

func (h *hostState) isReachable() bool {
	return h.state() != "disconnected" && h.state() != "not_responding"
}

// poweredOn lists the host's running VMs.
func (h *hostState) poweredOn() []*vmState {
	var on []*vmState
	for _, v := range h.vms {
		if v.isOn() {
			on = append(on, v)
		}
	}
	return on
}
