package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// provisioningChecker answers "could this VM be relocated there?".
type provisioningChecker struct {
	mo.VirtualMachineProvisioningChecker
	world *world
}

// compatibilityChecker answers "could this VM run there?".
type compatibilityChecker struct {
	mo.VirtualMachineCompatibilityChecker
	world *world
}

// CheckRelocateTask answers CheckRelocate_Task with every fault that the
// relocation would meet.
func (c *provisioningChecker) CheckRelocateTask(ctx *simulator.Context, req *types.CheckRelocate_Task) soap.HasFault {
	body := new(methods.CheckRelocate_TaskBody)
	w := c.world
	v, ok := w.vmIDs[req.Vm.Value]
	if !ok {
		body.Fault_ = notFound(req.Vm).soap()
		return body
	}
	to, no := w.target(v, &req.Spec)
	if no != nil {
		body.Fault_ = no.soap()
		return body
	}
	errors := w.check(v, to)
	if no := w.atCall(v); no != nil {
		errors = append(errors, no)
	}
	found := findings{errors: errors, warnings: w.faults.takeWarning(v, to)}
	t := w.answer(v, to, found, checkTask("CheckRelocate_Task", "checkRelocate", userOf(ctx)))
	body.Res = &types.CheckRelocate_TaskResponse{Returnval: t.Self}
	return body
}

// CheckCompatibilityTask answers CheckCompatibility_Task.
func (c *compatibilityChecker) CheckCompatibilityTask(ctx *simulator.Context, req *types.CheckCompatibility_Task) soap.HasFault {
	body := new(methods.CheckCompatibility_TaskBody)
	w := c.world
	v, ok := w.vmIDs[req.Vm.Value]
	if !ok {
		body.Fault_ = notFound(req.Vm).soap()
		return body
	}
	to := v.host
	if req.Host != nil {
		if to, ok = w.hostIDs[req.Host.Value]; !ok {
			body.Fault_ = notFound(*req.Host).soap()
			return body
		}
	}
	t := w.answer(v, to, findings{errors: w.check(v, to)}, checkTask("CheckCompatibility_Task", "checkCompatibility", userOf(ctx)))
	body.Res = &types.CheckCompatibility_TaskResponse{Returnval: t.Self}
	return body
}

func checkTask(method, verb, user string) taskSpec {
	return taskSpec{name: method, description: "vm.check." + verb, user: user}
}

// findings are what a check has to say: what forbids the move, and what does not.
type findings struct {
	errors   []*refusal
	warnings []*refusal
}

// answer makes the finished task that carries the check's result. Its entity is
// the VM: the checkers themselves are no inventory objects.
func (w *world) answer(v *vmState, to *hostState, found findings, spec taskSpec) *task {
	host := to.obj.Self
	result := types.CheckResult{Vm: &v.obj.Self, Host: &host}
	for _, no := range found.errors {
		result.Error = append(result.Error, no.localized())
	}
	for _, no := range found.warnings {
		result.Warning = append(result.Warning, no.localized())
	}
	spec.entity = v.obj
	t := w.newTask(spec)
	t.start()
	t.succeed(types.ArrayOfCheckResult{CheckResult: []types.CheckResult{result}})
	return t
}

// installSingletons replaces the library's own versions of the services that
// this server answers differently.
func (w *world) installSingletons() {
	content := w.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance).Content
	provisioning := &provisioningChecker{world: w}
	provisioning.Self = *content.VmProvisioningChecker
	w.ctx.Map.Put(provisioning)
	compatibility := &compatibilityChecker{world: w}
	compatibility.Self = *content.VmCompatibilityChecker
	w.ctx.Map.Put(compatibility)
	w.installRights(content)
	properties := &propertyCollector{world: w}
	properties.Self = content.PropertyCollector
	w.ctx.Map.Put(properties)
	w.installStatistics(content)
	w.ctx.Map.AddHandler(w.bell)
	w.ctx.Map.Handler = w.intercept
}
