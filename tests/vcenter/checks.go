package main

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

// check lists every reason why the VM cannot run on, or move to, the host.
func (w *world) check(v *vmState, to *hostState) []*refusal {
	var all []*refusal
	for _, one := range []func(*world, *vmState, *hostState) *refusal{
		checkConnected, checkHostState, checkFailoverHost, checkBlockers, checkStorage, checkNetwork,
		checkVMotion, checkEncryption, checkEvc, checkFeatures, checkHostRules, checkMemory, checkCount,
	} {
		if no := one(w, v, to); no != nil {
			all = append(all, no)
		}
	}
	return all
}

func checkConnected(_ *world, v *vmState, to *hostState) *refusal {
	for _, h := range []*hostState{v.host, to} {
		if !h.isReachable() {
			return refuse(new(types.HostNotConnected), "Unable to communicate with the remote host '"+h.spec.Name+"', since it is disconnected.")
		}
	}
	return nil
}

func checkHostState(_ *world, v *vmState, to *hostState) *refusal {
	if to == v.host || !slices.Contains([]string{"maintenance", "entering_maintenance", "standby"}, to.state()) {
		return nil
	}
	return refuse(&types.InvalidHostState{Host: &to.obj.Self},
		fmt.Sprintf("The operation is not allowed in the current state of the host '%s' (%s).", to.spec.Name, to.state()))
}

func checkFailoverHost(w *world, _ *vmState, to *hostState) *refusal {
	ha := w.snap.Cluster.HA
	if ha == nil || !slices.Contains(ha.FailoverHosts, to.spec.ID) {
		return nil
	}
	return refuse(&types.DisallowedOperationOnFailoverHost{Host: to.obj.Self, Hostname: to.spec.Name},
		"The operation is not allowed on the failover host '"+to.spec.Name+"'.")
}

func checkBlockers(_ *world, v *vmState, to *hostState) *refusal {
	if to == v.host {
		return nil
	}
	for _, word := range v.spec.Blockers {
		if fault := blockerFault(word, v); fault != nil {
			return refuse(fault, fmt.Sprintf("Virtual machine '%s' cannot leave its host: %s.", v.spec.Name, word))
		}
	}
	return nil
}

// blockerFault is the fault that fits a blocker; nil for those that are refused
// at the call already.
func blockerFault(word string, v *vmState) types.BaseMethodFault {
	switch word {
	case "passthrough_device", "vgpu", "sriov", "usb_device":
		inner := refuse(&types.DeviceNotSupported{Device: word}, "Device '"+word+"' is not supported.")
		return &types.DisallowedMigrationDeviceAttached{Fault: inner.localized()}
	case "host_local_cdrom", "local_cdrom_backing":
		return &types.CannotAccessVmDevice{Device: "CD/DVD drive 1", Backing: word, Connected: true}
	case "cpu_affinity", "latency_sensitive_pinned":
		return &types.AffinityConfigured{ConfiguredAffinity: []string{"cpu"}}
	case "tools_installing":
		return new(types.ToolsInstallationInProgress)
	case "shared_scsi_bus":
		return &types.SharedBusControllerNotSupported{DeviceNotSupported: types.DeviceNotSupported{Device: "SCSI controller 1"}}
	case "fault_tolerance":
		return &types.CannotMoveFaultToleranceVm{MoveType: "cluster", VmName: v.spec.Name}
	case "pending_question":
		return &types.QuestionPending{Text: v.obj.Runtime.Question.Text}
	case "inaccessible":
		return &types.InvalidVmState{Vm: v.obj.Self}
	}
	return nil
}

func checkStorage(w *world, v *vmState, to *hostState) *refusal {
	for _, id := range v.spec.Datastores {
		ds := w.datastores[id]
		if ds.Summary.Accessible && slices.Contains(to.obj.Datastore, ds.Self) {
			continue
		}
		inner := refuse(&types.InaccessibleDatastore{
			InvalidDatastore: types.InvalidDatastore{Datastore: &ds.Self, Name: ds.Name},
		}, "The datastore '"+ds.Name+"' is not accessible.")
		return refuse(&types.CannotAccessVmDisk{
			CannotAccessVmDevice: types.CannotAccessVmDevice{Device: "Hard disk 1", Backing: "[" + ds.Name + "]"},
			Fault:                inner.localized(),
		}, "Virtual disk 'Hard disk 1' is not accessible on the host: datastore '"+ds.Name+"' is not mounted.")
	}
	return nil
}

func checkNetwork(w *world, v *vmState, to *hostState) *refusal {
	for _, id := range v.spec.Networks {
		self := w.networks[id].Reference()
		if slices.Contains(to.obj.Network, self) {
			continue
		}
		return refuse(&types.CannotAccessNetwork{
			CannotAccessVmDevice: types.CannotAccessVmDevice{Device: "Network adapter 1", Backing: id, Connected: true},
			Network:              &self,
		}, "Currently connected network interface 'Network adapter 1' uses network '"+id+"', which is not accessible.")
	}
	return nil
}

func checkVMotion(_ *world, v *vmState, to *hostState) *refusal {
	if !v.isOn() || to == v.host {
		return nil
	}
	for _, h := range []*hostState{v.host, to} {
		if !h.obj.Summary.Config.VmotionEnabled {
			return refuse(&types.VMotionNotConfigured{VMotionInterfaceIssue: interfaceIssue(h, v)},
				"The vMotion interface is not configured on the host '"+h.spec.Name+"'.")
		}
	}
	return nil
}

func interfaceIssue(h *hostState, v *vmState) types.VMotionInterfaceIssue {
	return types.VMotionInterfaceIssue{AtSourceHost: h == v.host, FailedHost: h.spec.Name, FailedHostEntity: &h.obj.Self}
}

func checkEncryption(_ *world, v *vmState, to *hostState) *refusal {
	if v.spec.Encryption != "required" || to == v.host || !v.isOn() {
		return nil
	}
	for _, h := range []*hostState{v.host, to} {
		if supported := h.obj.Capability.EncryptedVMotionSupported; supported == nil || !*supported {
			return refuse(&types.VMotionNotSupported{VMotionInterfaceIssue: interfaceIssue(h, v)},
				"The host '"+h.spec.Name+"' does not support encrypted vMotion.")
		}
	}
	return nil
}

func checkEvc(w *world, v *vmState, to *hostState) *refusal {
	have, need := w.offeredMode(to), requiredMode(v.spec)
	if !v.isOn() || to == v.host || !w.modes.refuses(have, need) {
		return nil
	}
	return refuse(&types.CpuIncompatible{Level: 1, RegisterName: "ecx", Host: &to.obj.Self},
		fmt.Sprintf("The target host does not support the virtual machine's current hardware requirements: it runs %s, needed is %s.", have, need))
}

func checkFeatures(w *world, v *vmState, to *hostState) *refusal {
	if !v.isOn() || to == v.host || w.snap.Cluster.EvcMode != nil {
		return nil
	}
	missing := missingFeatures(v.spec, to.spec)
	if len(missing) == 0 {
		return nil
	}
	return refuse(&types.FeatureRequirementsNotMet{FeatureRequirement: missing, Vm: &v.obj.Self, Host: &to.obj.Self},
		"Feature '"+missing[0].Key+"' is needed and not there.")
}

// checkHostRules keeps mandatory VM-host rules, which a server enforces on
// every move, DRS or not. Rules between VMs stop nobody's own move.
func checkHostRules(w *world, v *vmState, to *hostState) *refusal {
	for _, rule := range w.snap.Rules {
		if !yes(rule.Enabled) || !yes(rule.Mandatory) || !slices.Contains(rule.VMs, v.spec.ID) {
			continue
		}
		inside := slices.Contains(rule.Hosts, to.spec.ID)
		if (rule.Type == "vm_host_affine" && !inside) || (rule.Type == "vm_host_anti_affine" && inside) {
			return refuse(&types.VmHostAffinityRuleViolation{VmName: v.spec.Name, HostName: to.spec.Name},
				"The move would break the VM/Host rule '"+rule.Name+"'.")
		}
	}
	return nil
}

// checkMemory adds up what runs on the target, what is on its way there, the
// hypervisor's own share and the VM.
func checkMemory(_ *world, v *vmState, to *hostState) *refusal {
	if to == v.host || !v.isOn() {
		return nil
	}
	free := to.spec.MemoryCapacityMiB - to.spec.MemoryOverheadMiB
	for _, other := range to.vms {
		free -= other.consumedMiB()
	}
	for _, r := range to.arriving {
		free -= r.vm.consumedMiB()
	}
	need := v.consumedMiB()
	if need <= free {
		return nil
	}
	return refuse(&types.InsufficientMemoryResourcesFault{Unreserved: int64(free) * mib, Requested: int64(need) * mib},
		fmt.Sprintf("The available memory of '%s' is insufficient: %.0f MiB needed, %.0f MiB free.", to.spec.Name, need, free))
}

func checkCount(_ *world, v *vmState, to *hostState) *refusal {
	most := int(to.spec.MaxRunningVMs)
	if most == 0 || to == v.host || !v.isOn() || len(to.poweredOn())+len(to.arriving) < most {
		return nil
	}
	return refuse(&types.InsufficientHostCapacityFault{Host: &to.obj.Self},
		fmt.Sprintf("The host '%s' runs its most, %d virtual machines.", to.spec.Name, most))
}
