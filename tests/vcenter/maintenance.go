package main

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	administrator   = "VSPHERE.LOCAL\\Administrator"
	somebodyElse    = "VSPHERE.LOCAL\\operator"
	exitMaintenance = 50 * time.Millisecond
)

// maintenance is a host's way into maintenance mode: a task that waits until
// its VMs are gone. Nothing moves them by itself.
type maintenance struct {
	task    *task
	atStart int  // VMs to go when it began
	all     bool // the powered-off ones too
	timer   *time.Timer
	before  string // state to return to
}

// EnterMaintenanceModeTask answers EnterMaintenanceMode_Task.
func (h *hostObject) EnterMaintenanceModeTask(ctx *simulator.Context, req *types.EnterMaintenanceMode_Task) soap.HasFault {
	body := new(methods.EnterMaintenanceMode_TaskBody)
	w, state := h.world, h.state
	if state.state() == "maintenance" || state.entering != nil {
		body.Fault_ = simulator.Fault("The host is in, or on its way into, maintenance mode.", new(types.InvalidState))
		return body
	}
	all := req.EvacuatePoweredOffVms != nil && *req.EvacuatePoweredOffVms
	m := w.enterMaintenance(state, userOf(ctx), all)
	if req.Timeout > 0 && state.entering == m {
		m.timer = w.after(time.Duration(req.Timeout)*time.Second, func() {
			w.leaveEntering(state, m, refuse(new(types.Timedout), "Operation timed out."))
		})
	}
	if fault := w.faults.takeForTask("EnterMaintenanceMode_Task", nil, nil, state); fault != nil {
		w.after(fault.after(w.migrationTime), func() { w.leaveEntering(state, m, fault.refusal()) })
	}
	body.Res = &types.EnterMaintenanceMode_TaskResponse{Returnval: m.task.Self}
	return body
}

// enterMaintenance begins the task; with nothing to wait for it is over at once.
func (w *world) enterMaintenance(h *hostState, user string, all bool) *maintenance {
	m := &maintenance{all: all, before: h.state()}
	if m.before == "entering_maintenance" {
		m.before = "connected"
	}
	m.task = w.newTask(taskSpec{
		entity: h.obj, name: "EnterMaintenanceMode_Task", description: "HostSystem.enterMaintenanceMode", user: user,
		cancel: func() { w.leaveEntering(h, m, canceled()) },
	})
	m.task.start()
	m.atStart = m.left(h)
	h.entering = m
	h.spec.State = "entering_maintenance"
	w.maintenanceStep(h)
	return m
}

// left counts the VMs that still have to go.
func (m *maintenance) left(h *hostState) int {
	if m.all {
		return len(h.vms)
	}
	return len(h.poweredOn())
}

// maintenanceStep looks at a host whose VMs changed and ends its way into
// maintenance mode when none is left.
func (w *world) maintenanceStep(h *hostState) {
	m := h.entering
	if m == nil {
		return
	}
	if left := m.left(h); left > 0 {
		gone := max(0, m.atStart-left)
		m.task.progress(int32(min(99, 100*gone/max(1, m.atStart))))
		return
	}
	m.stop(h)
	w.setHostState(h, "maintenance")
	m.task.succeed(nil)
}

func (m *maintenance) stop(h *hostState) {
	if m.timer != nil {
		m.timer.Stop()
	}
	h.entering = nil
}

// leaveEntering ends the task with a fault; the host takes VMs again.
func (w *world) leaveEntering(h *hostState, m *maintenance, no *refusal) {
	if h.entering != m {
		return
	}
	m.stop(h)
	w.setHostState(h, m.before)
	m.task.fail(no)
}

// ExitMaintenanceModeTask answers ExitMaintenanceMode_Task.
func (h *hostObject) ExitMaintenanceModeTask(ctx *simulator.Context, _ *types.ExitMaintenanceMode_Task) soap.HasFault {
	body := new(methods.ExitMaintenanceMode_TaskBody)
	w, state := h.world, h.state
	if state.state() != "maintenance" {
		body.Fault_ = simulator.Fault("The host is not in maintenance mode.", new(types.InvalidState))
		return body
	}
	t := w.newTask(taskSpec{
		entity: h, name: "ExitMaintenanceMode_Task", description: "HostSystem.exitMaintenanceMode", user: userOf(ctx),
	})
	t.start()
	w.after(exitMaintenance, func() {
		if state.state() == "maintenance" {
			w.setHostState(state, "connected")
		}
		t.succeed(nil)
	})
	body.Res = &types.ExitMaintenanceMode_TaskResponse{Returnval: t.Self}
	return body
}

// resumeMaintenance starts the task of each host that the file shows entering.
func (b *builder) resumeMaintenance() error {
	for _, h := range b.hosts {
		if h.state() == "entering_maintenance" {
			b.enterMaintenance(h, administrator, false)
		}
	}
	return nil
}

// forceHostState sets a state from outside: entering_maintenance starts the
// task, everything else ends a running one.
func (w *world) forceHostState(h *hostState, word string) {
	if h.entering != nil {
		if word == "entering_maintenance" {
			return
		}
		w.leaveEntering(h, h.entering, canceled())
	}
	if word == "entering_maintenance" {
		w.enterMaintenance(h, administrator, false)
		return
	}
	w.setHostState(h, word)
}
