package main

import (
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Outcomes of a relocation, in the words of the control's log.
const (
	stateQueued    = "queued"
	stateRunning   = "running"
	stateSuccess   = "success"
	stateFailed    = "failed"    // an injected fault ended it
	stateRefused   = "refused"   // the server's own checks said no
	stateCancelled = "cancelled" // somebody cancelled the task
)

// How often a running move shows progress: ten times, within these bounds.
const (
	shortestTick = 20 * time.Millisecond
	longestTick  = 250 * time.Millisecond
)

// moveRequest is what somebody asks for.
type moveRequest struct {
	spec     *types.VirtualMachineRelocateSpec
	user     string
	priority string
	lasting  *time.Duration // nil: as the VM or the world has it when it starts
}

// relocation is one request to move a VM, from the call to its end.
type relocation struct {
	moveRequest
	number   int
	vm       *vmState
	from, to *hostState
	task     *task
	duration time.Duration

	queued, started, ended time.Time

	state    string
	fault    *refusal
	injected *taskFault // what is to happen to it, if anything
	timer    *time.Timer
}

// RelocateVMTask answers RelocateVM_Task.
func (v *vmObject) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	body := new(methods.RelocateVM_TaskBody)
	w := v.world
	r, no := w.submit(v.state, moveRequest{spec: &req.Spec, user: userOf(ctx), priority: priorityWord(req.Priority)})
	if no != nil {
		body.Fault_ = no.soap()
		return body
	}
	body.Res = &types.RelocateVM_TaskResponse{Returnval: r.task.Self}
	return body
}

func priorityWord(p types.VirtualMachineMovePriority) string {
	if p == "" {
		return string(types.VirtualMachineMovePriorityDefaultPriority)
	}
	return string(p)
}

// submit takes a relocation on. What concerns the request itself is refused at
// once, what concerns the VM and its target in the task.
func (w *world) submit(v *vmState, req moveRequest) (*relocation, *refusal) {
	to, no := w.target(v, req.spec)
	r := &relocation{
		moveRequest: req, number: len(w.relocations) + 1, vm: v, from: v.host, to: to,
		queued: time.Now(), state: stateQueued,
	}
	w.relocations = append(w.relocations, r)
	if no == nil {
		no = w.atCall(v)
	}
	if no != nil {
		r.end(stateRefused, no)
		return nil, no
	}
	if no = w.faults.takeForCall("RelocateVM_Task", v, r.from, to); no != nil {
		r.end(stateFailed, no)
		return nil, no
	}
	r.injected = w.faults.takeForTask("RelocateVM_Task", v, r.from, to)
	v.busy = r
	r.task = w.newTask(taskSpec{
		entity: v.obj, name: "RelocateVM_Task", description: "VirtualMachine.relocate", user: req.user,
		cancel: func() { w.finish(r, stateCancelled, canceled()) },
	})
	r.task.alsoRecentOn(r.hostObjects()...)
	w.queue = append(w.queue, r)
	w.startQueued()
	return r, nil
}

// target finds the host that the spec names; the VM's own where it names none.
func (w *world) target(v *vmState, spec *types.VirtualMachineRelocateSpec) (*hostState, *refusal) {
	if spec.Datastore != nil || spec.Disk != nil || spec.Folder != nil || spec.Service != nil || spec.DeviceChange != nil {
		return v.host, refuse(new(types.NotSupported), "Only the host of a virtual machine can be changed here.")
	}
	if spec.Pool != nil && w.ctx.Map.Get(*spec.Pool) == nil {
		return v.host, notFound(*spec.Pool)
	}
	if spec.Host == nil {
		if spec.Pool != nil {
			return v.host, refuse(&types.InvalidArgument{InvalidProperty: "spec.pool"}, "A pool without a host needs DRS.")
		}
		return v.host, nil
	}
	to, ok := w.hostIDs[spec.Host.Value]
	if !ok {
		return v.host, notFound(*spec.Host)
	}
	return to, nil
}

func notFound(r types.ManagedObjectReference) *refusal {
	return refuse(&types.ManagedObjectNotFound{Obj: r},
		"The object '"+r.String()+"' has already been deleted or has not been completely created")
}

// atCall refuses what cannot even become a task.
func (w *world) atCall(v *vmState) *refusal {
	switch {
	case v.busy != nil:
		return refuse(&types.TaskInProgress{Task: v.busy.task.Self}, "The operation is not allowed while another task is in progress.")
	case v.hasBlocker("consolidating"):
		return refuse(&types.TaskInProgress{Task: ref("Task", "task-consolidate-"+v.spec.ID)}, "The disks are being consolidated.")
	case v.hasBlocker("method_disabled"):
		return refuse(&types.MethodDisabled{Source: "com.example.backup"}, "The method is disabled by 'com.example.backup'")
	case v.hasBlocker("agent_vm"):
		return refuse(&types.MethodDisabled{Source: agentExtension}, "The method is disabled by '"+agentExtension+"'")
	}
	return nil
}

func (w *world) durationFor(r *relocation) time.Duration {
	switch {
	case r.lasting != nil:
		return *r.lasting
	case r.vm.migrationTime != nil:
		return *r.vm.migrationTime
	}
	return w.migrationTime
}

// startQueued starts, in the order of the calls, what finds a free slot on both
// of its hosts. The rest stays queued.
func (w *world) startQueued() {
	waiting := w.queue
	w.queue = nil
	for _, r := range waiting {
		switch {
		case r.state != stateQueued:
		case w.hasSlots(r):
			w.begin(r)
		default:
			w.queue = append(w.queue, r)
		}
	}
}

// hostObjects lists the move's hosts, each once.
func (r *relocation) hostObjects() []mo.Entity {
	if r.from == r.to {
		return []mo.Entity{r.from.obj}
	}
	return []mo.Entity{r.from.obj, r.to.obj}
}

func (w *world) hasSlots(r *relocation) bool {
	return r.from.running < w.options.hostSlots && r.to.running < w.options.hostSlots
}

// begin checks the move and lets it run.
func (w *world) begin(r *relocation) {
	r.task.start()
	r.started = time.Now()
	if refusals := w.check(r.vm, r.to); len(refusals) > 0 {
		w.finish(r, stateRefused, refusals[0])
		return
	}
	if r.to == r.vm.host {
		w.finish(r, stateSuccess, nil)
		return
	}
	r.state, r.duration = stateRunning, w.durationFor(r)
	r.to.arriving = append(r.to.arriving, r)
	w.occupy(r, +1)
	w.postMigrating(r)
	w.tick(r)
}

// occupy takes or frees the move's slot on both hosts and keeps the peaks.
func (w *world) occupy(r *relocation, step int) {
	for _, h := range []*hostState{r.from, r.to} {
		h.running += step
		h.peak = max(h.peak, h.running)
	}
	w.running += step
	w.peak = max(w.peak, w.running)
}

// tick advances a running move and comes back until its time is over, or until
// one of its hosts goes away.
func (w *world) tick(r *relocation) {
	if r.state != stateRunning {
		return
	}
	if no := checkConnected(w, r.vm, r.to); no != nil {
		w.finish(r, stateRefused, no)
		return
	}
	end := r.duration
	if r.injected != nil {
		end = r.injected.after(r.duration)
	}
	left := end - time.Since(r.started)
	if left <= 0 {
		w.land(r)
		return
	}
	r.task.progress(int32(min(99, 100*time.Since(r.started)/max(r.duration, 1))))
	step := min(left, max(shortestTick, min(longestTick, r.duration/10)))
	r.timer = w.after(step, func() { w.tick(r) })
}

// land ends a move at its time: with the injected fault, or on the target.
func (w *world) land(r *relocation) {
	if r.injected != nil {
		w.finish(r, stateFailed, r.injected.refusal())
		return
	}
	w.finish(r, stateSuccess, nil)
}

// landAll ends the moves that run now; what was queued for their slots starts then. It says how many they were.
func (w *world) landAll() int {
	var running []*relocation
	for _, r := range w.relocations {
		if r.state == stateRunning {
			running = append(running, r)
		}
	}
	for _, r := range running {
		w.land(r)
	}
	return len(running)
}

// finish ends a move, whatever its state, and starts what waited for its slots.
func (w *world) finish(r *relocation, state string, no *refusal) {
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.state == stateRunning {
		w.occupy(r, -1)
		r.to.arriving = slices.DeleteFunc(r.to.arriving, func(x *relocation) bool { return x == r })
	}
	r.end(state, no)
	r.vm.busy = nil
	if state == stateSuccess {
		source := r.vm.host
		w.place(r.vm, r.to)
		w.postMigrated(r.vm, source, r.user)
		r.task.succeed(nil)
	} else {
		r.task.fail(no)
	}
	w.startQueued()
}

func (r *relocation) end(state string, no *refusal) {
	r.state, r.fault, r.ended = state, no, time.Now()
}
