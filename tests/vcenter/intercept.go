package main

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

var vimServiceInstance = vim25.ServiceInstance

// intercept sees every call before the library does. It answers reads without a
// session as a real server does, and injected faults of calls.
func (w *world) intercept(ctx *simulator.Context, method *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if ctx.Session == nil && isRead(method.Name) {
		return nil, &types.NotAuthenticated{
			NoPermission: types.NoPermission{Object: &method.This, PrivilegeId: "System.View"},
		}
	}
	if method.Name == "RelocateVM_Task" { // answered in submit, which logs it
		return nil, nil
	}
	v, h := w.vmIDs[method.This.Value], w.hostIDs[method.This.Value]
	if no := w.faults.takeForCall(method.Name, v, h, h); no != nil {
		return nil, no.fault
	}
	if method.Name == "CurrentTime" && ctx.Session != nil {
		method.This = w.clock.Self // a session has its own service instance, which would win
		return w.clock, nil
	}
	return nil, nil
}

func isRead(method string) bool {
	return strings.HasPrefix(method, "RetrieveProperties") || method == "Fetch"
}
