package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const runningSinceSeconds = 10 * 24 * 3600

// addVM makes a VM and hangs it into its host, pool, folder, datastores and
// networks.
func (b *builder) addVM(spec *VM) {
	h := b.hostIDs[spec.Host]
	v := &vmState{spec: spec, host: h}
	if spec.UUID == "" {
		spec.UUID = stableUUID("vm", spec.ID)
	}
	pool, folder := b.poolOf(spec), b.vmFolder(spec.Folder)
	obj := &vmObject{world: b.world, state: v}
	v.obj = obj
	obj.Self = ref("VirtualMachine", spec.ID)
	obj.Name = spec.Name
	obj.Parent = &folder.Self
	obj.ResourcePool = &pool.Self
	obj.Config = vmConfig(spec)
	obj.Runtime = vmRuntime(spec, h)
	obj.ResourceConfig = &types.ResourceConfigSpec{
		Entity: &obj.Self, CpuAllocation: *obj.Config.CpuAllocation, MemoryAllocation: *obj.Config.MemoryAllocation,
	}
	obj.Capability.PerVmEvcSupported = types.NewBool(true)
	b.showOwnMode(v)
	b.applyBlockers(v)
	obj.Summary = vmSummary(obj, spec)
	b.attachVM(obj, spec)
	obj.CustomValue = b.customValues(spec.Attributes)
	b.vms = append(b.vms, v)
	b.vmIDs[spec.ID] = v
	h.vms = append(h.vms, v)
	h.obj.Vm = append(h.obj.Vm, obj.Self)
	pool.Vm = append(pool.Vm, obj.Self)
	folder.ChildEntity = append(folder.ChildEntity, obj.Self)
	b.ctx.Map.Put(obj)
	b.showConnection(v)
}

func (b *builder) attachVM(obj *vmObject, spec *VM) {
	for _, id := range spec.Datastores {
		ds := b.datastores[id]
		ds.Vm = append(ds.Vm, obj.Self)
		obj.Datastore = append(obj.Datastore, ds.Self)
	}
	for _, id := range spec.Networks {
		network := networkOf(b.networks[id])
		network.Vm = append(network.Vm, obj.Self)
		obj.Network = append(obj.Network, network.Self)
	}
}

func vmConfig(spec *VM) *types.VirtualMachineConfigInfo {
	cpu := allocation(spec.CPUReservationMHz, spec.CPULimitMHz, spec.CPUShares, 1000*spec.VCPUs)
	memory := allocation(spec.MemoryReservationMiB, spec.MemoryLimitMiB, spec.MemoryShares, int32(10*spec.MemoryMiB))
	return &types.VirtualMachineConfigInfo{
		ChangeVersion: "1", Modified: time.Unix(0, 0).UTC(), Name: spec.Name, Version: hardwareVersion(spec),
		GuestId: spec.GuestOS, GuestFullName: spec.GuestOS,
		Uuid: spec.UUID, InstanceUuid: spec.UUID,
		Hardware: types.VirtualHardware{
			NumCPU: spec.VCPUs, NumCoresPerSocket: types.NewInt32(1), MemoryMB: int32(spec.MemoryMiB),
		},
		CpuAllocation: &cpu, MemoryAllocation: &memory,
		LatencySensitivity: &types.LatencySensitivity{Level: types.LatencySensitivitySensitivityLevelNormal},
		MigrateEncryption:  encryption(spec),
		SwapPlacement:      swapPlacement(spec),
		ExtraConfig:        extraConfig(spec.ExtraConfig),
	}
}

func hardwareVersion(spec *VM) string {
	if spec.HardwareVersion == 0 {
		return "vmx-20"
	}
	return fmt.Sprintf("vmx-%02d", spec.HardwareVersion)
}

func encryption(spec *VM) string {
	if spec.Encryption == "" {
		return "opportunistic"
	}
	return spec.Encryption
}

func swapPlacement(spec *VM) string {
	if spec.SwapPlacement == "" {
		return string(types.VirtualMachineConfigInfoSwapPlacementTypeInherit)
	}
	return spec.SwapPlacement
}

func extraConfig(keys map[string]string) []types.BaseOptionValue {
	var options []types.BaseOptionValue
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		options = append(options, &types.OptionValue{Key: key, Value: keys[key]})
	}
	return options
}

// storageSummary is what the VM's files take and may still take; nil where
// the file does not say.
func storageSummary(spec *VM) *types.VirtualMachineStorageSummary {
	if spec.StorageCommittedMiB == nil {
		return nil
	}
	return &types.VirtualMachineStorageSummary{
		Committed: int64(*spec.StorageCommittedMiB * mib), Uncommitted: int64(value(spec.StorageFreshMiB) * mib),
	}
}

func vmRuntime(spec *VM, h *hostState) types.VirtualMachineRuntimeInfo {
	host := h.obj.Self
	runtime := types.VirtualMachineRuntimeInfo{
		Host: &host, ConnectionState: types.VirtualMachineConnectionStateConnected,
		PowerState:            powerState(spec.Power),
		FaultToleranceState:   types.VirtualMachineFaultToleranceStateNotConfigured,
		RecordReplayState:     types.VirtualMachineRecordReplayStateInactive,
		MaxCpuUsage:           maxCPUUsage(spec, h),
		MaxMemoryUsage:        int32(spec.MemoryMiB),
		MinRequiredEVCModeKey: requiredMode(spec),
		SnapshotInBackground:  types.NewBool(false),
		VmFailoverInProgress:  types.NewBool(false),
		Paused:                types.NewBool(false),
	}
	if runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		runtime.BootTime = started(runningSinceSeconds)
	}
	for _, key := range slices.Sorted(maps.Keys(spec.CPUFeatures)) {
		runtime.FeatureRequirement = append(runtime.FeatureRequirement,
			types.VirtualMachineFeatureRequirement{Key: key, FeatureName: key, Value: spec.CPUFeatures[key]})
	}
	return runtime
}

func powerState(word string) types.VirtualMachinePowerState {
	switch word {
	case "off":
		return types.VirtualMachinePowerStatePoweredOff
	case "suspended":
		return types.VirtualMachinePowerStateSuspended
	}
	return types.VirtualMachinePowerStatePoweredOn
}

// started is the time so many seconds ago.
func started(secondsAgo time.Duration) *time.Time {
	at := time.Now().Add(-secondsAgo * time.Second).UTC()
	return &at
}

// maxCPUUsage is the most CPU a VM can take: its vCPUs at the host's speed.
func maxCPUUsage(spec *VM, h *hostState) int32 {
	return spec.VCPUs * h.obj.Summary.Hardware.CpuMhz
}

func vmSummary(obj *vmObject, spec *VM) types.VirtualMachineSummary {
	summary := types.VirtualMachineSummary{
		Vm: &obj.Self, Runtime: obj.Runtime, OverallStatus: types.ManagedEntityStatusGreen,
		Config: types.VirtualMachineConfigSummary{
			Name: spec.Name, Uuid: spec.UUID, InstanceUuid: spec.UUID,
			NumCpu: spec.VCPUs, MemorySizeMB: int32(spec.MemoryMiB),
			CpuReservation: int32(spec.CPUReservationMHz), MemoryReservation: int32(spec.MemoryReservationMiB),
		},
	}
	summary.Storage = storageSummary(spec)
	summary.QuickStats.GuestHeartbeatStatus = types.ManagedEntityStatusGray
	summary.QuickStats.FtLatencyStatus = types.ManagedEntityStatusGray
	if config := obj.Config; config != nil {
		summary.Config.CpuReservation = int32(*config.CpuAllocation.Reservation)
		summary.Config.ManagedBy = config.ManagedBy
		summary.Config.FtInfo = config.FtInfo
	}
	return summary
}

// showConnection writes whether vCenter can see the VM: not when its host is
// gone, and not when its files are.
func (w *world) showConnection(v *vmState) {
	state := types.VirtualMachineConnectionStateConnected
	switch {
	case v.hasBlocker("inaccessible"):
		state = types.VirtualMachineConnectionStateInaccessible
	case !v.host.isReachable():
		state = types.VirtualMachineConnectionStateDisconnected
	}
	if v.obj.Runtime.ConnectionState == state && v.obj.Summary.Runtime.ConnectionState == state {
		return
	}
	w.update(v.obj, set("runtime.connectionState", state), set("summary.runtime.connectionState", state))
}

// place moves a VM to a host at once, on both hosts' lists and with the load.
func (w *world) place(v *vmState, to *hostState) {
	from := v.host
	if from == to {
		return
	}
	from.vms = slices.DeleteFunc(from.vms, func(x *vmState) bool { return x == v })
	to.vms = append(to.vms, v)
	v.host = to
	v.spec.Host = to.spec.ID
	host, usage := to.obj.Self, maxCPUUsage(v.spec, to)
	w.update(v.obj,
		set("runtime.host", host), set("summary.runtime.host", host),
		set("runtime.maxCpuUsage", usage), set("summary.runtime.maxCpuUsage", usage))
	for _, h := range []*hostState{from, to} {
		w.update(h.obj, set("vm", h.vmRefs()))
		w.settle(h, settleFromDemand)
	}
	w.showConnection(v)
	w.maintenanceStep(from)
}

func (h *hostState) vmRefs() []types.ManagedObjectReference {
	refs := make([]types.ManagedObjectReference, 0, len(h.vms))
	for _, v := range h.vms {
		refs = append(refs, v.obj.Self)
	}
	return refs
}

// setPower switches a VM on or off at once.
func (w *world) setPower(v *vmState, word string) {
	v.spec.Power = word
	state := powerState(word)
	v.obj.Runtime.BootTime = nil
	if state == types.VirtualMachinePowerStatePoweredOn {
		v.obj.Runtime.BootTime = started(0)
	}
	w.update(v.obj, set("runtime.powerState", state), set("summary.runtime.powerState", state))
	w.settle(v.host, settleFromDemand)
	w.maintenanceStep(v.host)
}

var _ mo.Entity = (*vmObject)(nil)
