package main

import "github.com/vmware/govmomi/vim25/types"

const agentExtension = "com.vmware.vim.eam"

// applyBlockers shows each of the VM's blockers the way vSphere shows it.
func (b *builder) applyBlockers(v *vmState) {
	obj := v.obj
	for i, word := range v.spec.Blockers {
		if device := b.blockingDevice(word, int32(4000+i), v); device != nil {
			obj.Config.Hardware.Device = append(obj.Config.Hardware.Device, device)
			continue
		}
		applyBlockingState(word, obj)
	}
	if v.hasBlocker("inaccessible") {
		obj.Config = nil // vCenter cannot read the configuration of such a VM
	}
}

func applyBlockingState(word string, obj *vmObject) {
	config, runtime := obj.Config, &obj.Runtime
	switch word {
	case "cpu_affinity":
		config.CpuAffinity = &types.VirtualMachineAffinityInfo{AffinitySet: []int32{0, 1}}
	case "tools_installing":
		runtime.ToolsInstallerMounted = true
	case "fault_tolerance":
		runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateRunning
		config.FtInfo = &types.FaultTolerancePrimaryConfigInfo{
			FaultToleranceConfigInfo: types.FaultToleranceConfigInfo{Role: 1, InstanceUuids: []string{config.InstanceUuid}},
		}
	case "pending_question":
		runtime.Question = &types.VirtualMachineQuestionInfo{Id: "1", Text: "Did you move or copy this virtual machine?"}
	case "method_disabled":
		obj.DisabledMethod = []string{"RelocateVM_Task", "MigrateVM_Task"}
	case "agent_vm":
		config.ManagedBy = &types.ManagedByInfo{ExtensionKey: agentExtension, Type: "cluster-agent"}
	case "consolidating":
		runtime.SnapshotInBackground = types.NewBool(true)
		runtime.ConsolidationNeeded = true
	case "latency_sensitive_pinned":
		config.LatencySensitivity.Level = types.LatencySensitivitySensitivityLevelHigh
		config.CpuAllocation.Reservation = types.NewInt64(int64(runtime.MaxCpuUsage))
	}
}

// blockingDevice makes the device that stands for a blocker, nil if none does.
func (b *builder) blockingDevice(word string, key int32, v *vmState) types.BaseVirtualDevice {
	base := types.VirtualDevice{Key: key, DeviceInfo: &types.Description{Label: word, Summary: word}}
	switch word {
	case "passthrough_device":
		base.Backing = &types.VirtualPCIPassthroughDeviceBackingInfo{
			VirtualDeviceDeviceBackingInfo: deviceBacking("0000:3b:00.0"), Id: "0000:3b:00.0", DeviceId: "1db6", SystemId: v.spec.Host,
		}
		return &types.VirtualPCIPassthrough{VirtualDevice: base}
	case "vgpu":
		base.Backing = &types.VirtualPCIPassthroughVmiopBackingInfo{Vgpu: "grid_a100-8c", MigrateSupported: types.NewBool(false)}
		return &types.VirtualPCIPassthrough{VirtualDevice: base}
	case "sriov":
		return &types.VirtualSriovEthernetCard{VirtualEthernetCard: types.VirtualEthernetCard{VirtualDevice: base}}
	case "usb_device":
		base.Backing = &types.VirtualUSBUSBBackingInfo{VirtualDeviceDeviceBackingInfo: deviceBacking("path:1/0/0")}
		return &types.VirtualUSB{VirtualDevice: base, Connected: true}
	case "host_local_cdrom":
		base.Backing = &types.VirtualCdromAtapiBackingInfo{VirtualDeviceDeviceBackingInfo: deviceBacking("/vmfs/devices/cdrom/mpx.vmhba0")}
		base.Connectable = connected()
		return &types.VirtualCdrom{VirtualDevice: base}
	case "local_cdrom_backing":
		base.Backing = b.isoBacking(v)
		base.Connectable = connected()
		return &types.VirtualCdrom{VirtualDevice: base}
	case "shared_scsi_bus":
		controller := types.VirtualController{VirtualDevice: base, BusNumber: 1}
		return &types.ParaVirtualSCSIController{
			VirtualSCSIController: types.VirtualSCSIController{VirtualController: controller, SharedBus: types.VirtualSCSISharingVirtualSharing},
		}
	}
	return nil
}

func deviceBacking(name string) types.VirtualDeviceDeviceBackingInfo {
	return types.VirtualDeviceDeviceBackingInfo{DeviceName: name, UseAutoDetect: types.NewBool(false)}
}

func connected() *types.VirtualDeviceConnectInfo {
	return &types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true, Connected: true, Status: "ok"}
}

// isoBacking puts the image on a datastore that only the VM's host mounts.
func (b *builder) isoBacking(v *vmState) *types.VirtualCdromIsoBackingInfo {
	id := "datastore-local-" + v.spec.Host
	if _, ok := b.datastores[id]; !ok {
		b.addDatastore(&Datastore{ID: id, Name: "local-" + v.host.spec.Name})
		b.mount(b.datastores[id], v.host.obj)
	}
	ds := b.datastores[id].Self
	return &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{
		FileName: "[local-" + v.host.spec.Name + "] iso/driver.iso", Datastore: &ds,
	}}
}
