package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// refusal is a fault with the sentence that goes with it.
type refusal struct {
	fault types.BaseMethodFault
	text  string
}

func refuse(fault types.BaseMethodFault, text string) *refusal {
	return &refusal{fault: fault, text: text}
}

func (r *refusal) soap() *soap.Fault { return simulator.Fault(r.text, r.fault) }

func (r *refusal) localized() types.LocalizedMethodFault {
	return types.LocalizedMethodFault{Fault: r.fault, LocalizedMessage: r.text}
}

// task is a long-running task: the library's own task object, so that its
// managers list it, with a cancel that ends the work.
type task struct {
	*simulator.Task
	world  *world
	cancel func()
}

// taskSpec says what a new task is about.
type taskSpec struct {
	entity      mo.Entity
	name        string // method, such as RelocateVM_Task
	description string // descriptionId, such as VirtualMachine.relocate
	user        string
	cancel      func() // nil: cannot be cancelled
}

// newTask registers a queued task. It is registered twice: the library's
// managers only know their own type, and calls have to reach ours.
func (w *world) newTask(spec taskSpec) *task {
	inner := &simulator.Task{}
	entity := spec.entity.Reference()
	inner.Info = types.TaskInfo{
		Name: spec.name, DescriptionId: spec.description, Entity: &entity, EntityName: spec.entity.Entity().Name,
		Reason: &types.TaskReasonUser{UserName: spec.user}, QueueTime: w.now(),
		State: types.TaskInfoStateQueued, Cancelable: spec.cancel != nil,
	}
	w.ctx.Map.Put(inner)
	inner.Info.Key, inner.Info.Task = inner.Self.Value, inner.Self
	t := &task{Task: inner, world: w, cancel: spec.cancel}
	w.ctx.Map.Put(t)
	return t
}

// alsoRecentOn lists the task among the recent tasks of further objects.
func (t *task) alsoRecentOn(entities ...mo.Entity) {
	const most = 50
	for _, e := range entities {
		recent := append([]types.ManagedObjectReference{}, e.Entity().RecentTask...)
		recent = append(recent, t.Self)
		if len(recent) > most {
			recent = recent[len(recent)-most:]
		}
		t.world.update(e, set("recentTask", recent))
	}
}

func (t *task) start() {
	t.world.update(t.Task, set("info.startTime", t.world.now()), set("info.state", types.TaskInfoStateRunning))
}

func (t *task) progress(percent int32) {
	if t.Info.Progress != percent {
		t.world.update(t.Task, set("info.progress", percent))
	}
}

func (t *task) succeed(result types.AnyType) {
	changes := []types.PropertyChange{
		set("info.completeTime", t.world.now()), set("info.progress", int32(100)),
		set("info.state", types.TaskInfoStateSuccess),
	}
	if result != nil {
		changes = append(changes, set("info.result", result))
	}
	t.world.update(t.Task, changes...)
}

func (t *task) fail(r *refusal) {
	fault := r.localized()
	t.world.update(t.Task, set("info.completeTime", t.world.now()),
		set("info.error", &fault), set("info.state", types.TaskInfoStateError))
}

func (t *task) isOver() bool {
	return t.Info.State == types.TaskInfoStateSuccess || t.Info.State == types.TaskInfoStateError
}

// CancelTask ends the work behind the task.
func (t *task) CancelTask(_ *simulator.Context, _ *types.CancelTask) soap.HasFault {
	body := new(methods.CancelTaskBody)
	switch {
	case t.isOver():
		body.Fault_ = simulator.Fault("The task is over.", new(types.InvalidState))
	case t.cancel == nil:
		body.Fault_ = simulator.Fault("The task cannot be cancelled.", new(types.NotSupported))
	default:
		t.world.update(t.Task, set("info.cancelled", true))
		t.cancel()
		body.Res = new(types.CancelTaskResponse)
	}
	return body
}

// canceled is the fault of a task that somebody cancelled.
func canceled() *refusal {
	return refuse(new(types.RequestCanceled), "The task was canceled by a user.")
}

// userOf is the account that the session logged in with.
func userOf(ctx *simulator.Context) string {
	if ctx.Session == nil {
		return ""
	}
	return accountName(ctx.Session.UserName)
}
