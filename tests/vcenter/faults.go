package main

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// faultRule is one fault that somebody asked for, as the control takes it.
type faultRule struct {
	ID         int      `json:"id"`
	At         string   `json:"at"`          // call, task, warning, drop_request, drop_reply
	Method     string   `json:"method"`      // SOAP method; RelocateVM_Task where none is given
	VM         string   `json:"vm"`          // name or id; empty: any
	Host       string   `json:"host"`        // name or id; empty: any
	Role       string   `json:"role"`        // what the host is in the move: target, source, either
	Fault      string   `json:"fault"`       // type name, such as CpuIncompatible
	Message    string   `json:"message"`     // text that goes with it
	MessageKey string   `json:"message_key"` // faultMessage key that goes with it
	AfterS     *float64 `json:"after_s"`     // task only: seconds from the start; none: half of its time
	Times      *int     `json:"times"`       // how often; none: always
	Hits       int      `json:"hits"`
}

// faultBook keeps the rules. It has a lock of its own, because connection
// faults are looked up before a call holds the world.
type faultBook struct {
	mu    sync.Mutex
	next  int
	rules []*faultRule
}

// taskFault is what will end a task.
type taskFault struct {
	rule faultRule
}

func newFaultBook() *faultBook { return &faultBook{next: 1} }

// add checks a rule and puts it last.
func (b *faultBook) add(rule faultRule) (int, error) {
	if rule.Method == "" {
		rule.Method = "RelocateVM_Task"
	}
	if rule.Role == "" {
		rule.Role = "target"
	}
	if rule.At == "" {
		rule.At = "task"
	}
	if err := rule.check(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rule.ID, rule.Hits = b.next, 0
	b.next++
	b.rules = append(b.rules, &rule)
	return rule.ID, nil
}

func (r *faultRule) check() error {
	if !slices.Contains([]string{"call", "task", "warning", "drop_request", "drop_reply"}, r.At) {
		return fmt.Errorf("at is %q; allowed are call, task, warning, drop_request, drop_reply", r.At)
	}
	if !slices.Contains([]string{"target", "source", "either"}, r.Role) {
		return fmt.Errorf("role is %q; allowed are target, source, either", r.Role)
	}
	if r.Times != nil && *r.Times < 1 {
		return fmt.Errorf("times is %d; allowed are numbers from 1", *r.Times)
	}
	isDrop := r.At == "drop_request" || r.At == "drop_reply"
	if isDrop && (r.Fault != "" || r.VM != "" || r.Host != "") {
		return fmt.Errorf("%s takes a method and times, no fault, vm or host", r.At)
	}
	if r.At == "task" && r.Method != "RelocateVM_Task" && r.Method != "EnterMaintenanceMode_Task" {
		return fmt.Errorf("no task of %s can be made to fail", r.Method)
	}
	if r.At == "warning" && r.Method != "CheckRelocate_Task" {
		return fmt.Errorf("%s has no warnings", r.Method)
	}
	if isDrop {
		return nil
	}
	_, err := newFault(r.Fault)
	return err
}

// newFault makes the fault with the given type name.
func newFault(name string) (types.BaseMethodFault, error) {
	kind, ok := types.TypeFunc()(name)
	if !ok {
		return nil, fmt.Errorf("there is no fault %q", name)
	}
	fault, ok := reflect.New(kind).Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("%q is not a fault", name)
	}
	completeFault(fault)
	return fault, nil
}

// completeFault fills enumerations, which no client reads when they are empty.
func completeFault(fault types.BaseMethodFault) {
	if f, ok := fault.(*types.InvalidPowerState); ok {
		f.RequestedState = types.VirtualMachinePowerStatePoweredOn
		f.ExistingState = types.VirtualMachinePowerStatePoweredOff
	}
	if f, ok := fault.(*types.SystemErrorFault); ok {
		f.Reason = "a general system error occurred"
	}
}

// take finds the first rule that fits, counts it, and drops it when it is used
// up.
func (b *faultBook) take(at, method string, fits func(*faultRule) bool) *faultRule {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, rule := range b.rules {
		if rule.At != at || rule.Method != method || !fits(rule) {
			continue
		}
		rule.Hits++
		hit := *rule
		if rule.Times != nil && rule.Hits >= *rule.Times {
			b.rules = slices.Delete(b.rules, i, i+1)
		}
		return &hit
	}
	return nil
}

// takeForTask finds the fault that will end a task on this VM and these hosts.
func (b *faultBook) takeForTask(method string, v *vmState, from, to *hostState) *taskFault {
	rule := b.take("task", method, func(r *faultRule) bool { return r.fits(v, from, to) })
	if rule == nil {
		return nil
	}
	return &taskFault{rule: *rule}
}

// takeForCall finds the fault that a call is answered with.
func (b *faultBook) takeForCall(method string, v *vmState, from, to *hostState) *refusal {
	rule := b.take("call", method, func(r *faultRule) bool { return r.fits(v, from, to) })
	if rule == nil {
		return nil
	}
	return rule.refusal()
}

// takeWarning finds what a check tells without refusing.
func (b *faultBook) takeWarning(v *vmState, to *hostState) []*refusal {
	rule := b.take("warning", "CheckRelocate_Task", func(r *faultRule) bool { return r.fits(v, v.host, to) })
	if rule == nil {
		return nil
	}
	return []*refusal{rule.refusal()}
}

// fits compares a rule with a VM and the hosts of a move.
func (r *faultRule) fits(v *vmState, from, to *hostState) bool {
	if r.VM != "" && (v == nil || (r.VM != v.spec.Name && r.VM != v.spec.ID)) {
		return false
	}
	if r.Host == "" {
		return true
	}
	isTarget, isSource := r.names(to), r.names(from)
	switch r.Role {
	case "source":
		return isSource
	case "either":
		return isTarget || isSource
	}
	return isTarget
}

func (r *faultRule) names(h *hostState) bool {
	return h != nil && (r.Host == h.spec.Name || r.Host == h.spec.ID)
}

// refusal makes the rule's fault with its text.
func (r *faultRule) refusal() *refusal {
	fault, _ := newFault(r.Fault) // the name was checked when the rule came in
	text := r.Message
	if text == "" {
		text = "An injected fault: " + r.Fault + "."
	}
	if r.MessageKey != "" {
		fault.GetMethodFault().FaultMessage = []types.LocalizableMessage{{Key: r.MessageKey, Message: text}}
	}
	return refuse(fault, text)
}

func (f *taskFault) refusal() *refusal { return f.rule.refusal() }

// after is when the task ends, counted from its start.
func (f *taskFault) after(duration time.Duration) time.Duration {
	if f.rule.AfterS != nil {
		return seconds(*f.rule.AfterS)
	}
	return duration / 2
}

// remove deletes one rule, or all for id 0; it says how many are gone.
func (b *faultBook) remove(id int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.rules)
	b.rules = slices.DeleteFunc(b.rules, func(r *faultRule) bool { return id == 0 || r.ID == id })
	return before - len(b.rules)
}

func (b *faultBook) list() []faultRule {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := []faultRule{}
	for _, r := range b.rules {
		all = append(all, *r)
	}
	return all
}

// faultName is a fault's type name, as the rules spell it.
func faultName(fault types.BaseMethodFault) string {
	return reflect.TypeOf(fault).Elem().Name()
}
