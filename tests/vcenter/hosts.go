package main

import (
	"math"
	"slices"

	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/types"
)

const hostsUpSinceSeconds = 40 * 24 * 3600

// addHost makes a host with its hardware, state, networks and datastores.
func (b *builder) addHost(spec *Host) {
	h := &hostState{spec: spec}
	obj := &hostObject{world: b.world, state: h}
	h.obj = obj
	obj.Self = ref("HostSystem", spec.ID)
	obj.Name = spec.Name
	obj.Parent = &b.cluster.Self
	obj.Hardware = hardware(spec)
	obj.Capability = hostCapability(spec)
	obj.Config = b.hostConfig(spec)
	obj.SystemResources = systemResources(spec)
	obj.ConfigManager.AdvancedOption = b.addHostOptions(spec)
	obj.Summary = b.hostSummary(obj, spec)
	b.hosts = append(b.hosts, h)
	b.hostIDs[spec.ID] = h
	h.showState()
	b.attach(obj, spec)
	b.ctx.Map.Put(obj)
	b.cluster.Host = append(b.cluster.Host, obj.Self)
}

// attach mounts the host's datastores and networks; none named means all.
func (b *builder) attach(obj *hostObject, spec *Host) {
	for _, ds := range b.snap.Datastores {
		if spec.Datastores == nil || slices.Contains(spec.Datastores, ds.ID) {
			b.mount(b.datastores[ds.ID], obj)
		}
	}
	for _, n := range b.snap.Networks {
		if spec.Networks == nil || slices.Contains(spec.Networks, n.ID) {
			network := networkOf(b.networks[n.ID])
			network.Host = append(network.Host, obj.Self)
			obj.Network = append(obj.Network, network.Self)
		}
	}
}

// cpuShape finds cores and MHz per core whose product is the capacity, near
// 2,600 MHz where the file does not say how many cores there are.
func cpuShape(spec *Host) (cores int, mhz int32) {
	if spec.CPUCores > 0 {
		return spec.CPUCores, int32(math.Round(spec.CPUCapacityMHz / float64(spec.CPUCores)))
	}
	capacity := int(math.Round(spec.CPUCapacityMHz))
	best := max(1, int(math.Round(spec.CPUCapacityMHz/2600)))
	distance := math.Inf(1)
	for n := 1; n <= 512; n++ {
		off := math.Abs(float64(capacity)/float64(n) - 2600)
		if capacity%n == 0 && off < 1100 && off < distance {
			best, distance = n, off
		}
	}
	return best, int32(math.Round(spec.CPUCapacityMHz / float64(best)))
}

// packages is the number of CPU packages: one per NUMA node, else two.
func packages(spec *Host, cores int) int16 {
	if spec.NumaNodes > 0 {
		return int16(spec.NumaNodes)
	}
	return int16(min(2, cores))
}

func hardware(spec *Host) *types.HostHardwareInfo {
	cores, mhz := cpuShape(spec)
	hz := int64(mhz) * 1_000_000
	info := &types.HostHardwareInfo{
		SystemInfo: types.HostSystemInfo{Vendor: spec.CPUVendor, Model: "simulated", Uuid: stableUUID("host", spec.ID)},
		CpuInfo: types.HostCpuInfo{
			NumCpuPackages: packages(spec, cores), NumCpuCores: int16(cores), NumCpuThreads: int16(2 * cores), Hz: hz,
		},
		MemorySize: int64(spec.MemoryCapacityMiB * mib),
	}
	for i := range info.CpuInfo.NumCpuPackages {
		info.CpuPkg = append(info.CpuPkg, types.HostCpuPackage{
			Index: i, Vendor: spec.CPUVendor, Hz: hz, Description: spec.CPUVendor + " " + spec.MaxEvcMode,
		})
	}
	if spec.NumaNodes > 0 {
		info.NumaInfo = &types.HostNumaInfo{Type: "NUMA", NumNodes: int32(spec.NumaNodes)}
	}
	return info
}

func hostCapability(spec *Host) *types.HostCapability {
	capability := *esx.HostCapability
	capability.VmotionSupported = true
	capability.VmotionWithStorageVMotionSupported = yes(spec.StorageVMotion)
	capability.MaxHostRunningVms = spec.MaxRunningVMs
	capability.FeatureCapabilitiesSupported = true
	capability.EncryptedVMotionSupported = types.NewBool(spec.VMotion == nil || yes(spec.VMotion.EncryptedSupported))
	capability.UnsharedSwapVMotionSupported = yes(spec.UnsharedSwap)
	return &capability
}

// systemResources shows the hypervisor's own share as the reservation of the
// group host/system. The root group's reservation is the whole host.
func systemResources(spec *Host) *types.HostSystemResourceInfo {
	return &types.HostSystemResourceInfo{
		Key:    "host",
		Config: resourceConfig(spec.CPUCapacityMHz, spec.MemoryCapacityMiB),
		Child: []types.HostSystemResourceInfo{
			{Key: "host/system", Config: resourceConfig(spec.CPUOverheadMHz, spec.MemoryOverheadMiB)},
			{Key: "host/user", Config: resourceConfig(0, 0)},
		},
	}
}

func resourceConfig(cpuMHz, memoryMiB float64) *types.ResourceConfigSpec {
	return &types.ResourceConfigSpec{
		CpuAllocation:    allocation(cpuMHz, nil, nil, 500),
		MemoryAllocation: allocation(memoryMiB, nil, nil, 500),
	}
}

func (b *builder) hostSummary(obj *hostObject, spec *Host) types.HostListSummary {
	hw := obj.Hardware
	mhz := int32(hw.CpuInfo.Hz / 1_000_000)
	summary := types.HostListSummary{
		Host: &obj.Self,
		Hardware: &types.HostHardwareSummary{
			Vendor: spec.CPUVendor, Model: "simulated", Uuid: hw.SystemInfo.Uuid,
			MemorySize: hw.MemorySize, CpuModel: hw.CpuPkg[0].Description, CpuMhz: mhz,
			NumCpuPkgs: hw.CpuInfo.NumCpuPackages, NumCpuCores: hw.CpuInfo.NumCpuCores, NumCpuThreads: hw.CpuInfo.NumCpuThreads,
			NumNics: int32(len(obj.Config.Network.Pnic)),
		},
		Runtime: &obj.Runtime,
		Config: types.HostConfigSummary{
			Name: spec.Name, Port: 443, Product: &types.AboutInfo{Version: "8.0.3"}, VmotionEnabled: spec.VMotion == nil || yes(spec.VMotion.Enabled),
		},
		OverallStatus: types.ManagedEntityStatusGreen,
		MaxEVCModeKey: spec.MaxEvcMode,
	}
	if mode := b.snap.Cluster.EvcMode; mode != nil {
		summary.CurrentEVCModeKey = *mode
	}
	return summary
}

// showState writes the state word into the host's runtime properties. The
// entering phase has no property of its own: it is a running task.
func (h *hostState) showState() {
	runtime := &h.obj.Runtime
	runtime.ConnectionState = connectionState(h.state())
	runtime.PowerState = types.HostSystemPowerStatePoweredOn
	runtime.StandbyMode = string(types.HostStandbyModeNone)
	if runtime.BootTime == nil {
		runtime.BootTime = started(hostsUpSinceSeconds)
	}
	runtime.InMaintenanceMode = h.state() == "maintenance"
	runtime.InQuarantineMode = types.NewBool(h.state() == "quarantine")
	if h.state() == "standby" {
		runtime.PowerState = types.HostSystemPowerStateStandBy
		runtime.StandbyMode = string(types.HostStandbyModeIn)
	}
	if !h.isReachable() {
		runtime.BootTime = nil
		runtime.PowerState = types.HostSystemPowerStateUnknown
	}
}

func connectionState(word string) types.HostSystemConnectionState {
	switch word {
	case "disconnected":
		return types.HostSystemConnectionStateDisconnected
	case "not_responding":
		return types.HostSystemConnectionStateNotResponding
	}
	return types.HostSystemConnectionStateConnected
}

// setHostState changes the state word and tells whoever waits for updates.
func (w *world) setHostState(h *hostState, word string) {
	h.spec.State = word
	h.showState()
	r := h.obj.Runtime
	w.update(h.obj,
		set("runtime.connectionState", r.ConnectionState), set("runtime.powerState", r.PowerState),
		set("runtime.standbyMode", r.StandbyMode), set("runtime.inMaintenanceMode", r.InMaintenanceMode),
		set("runtime.inQuarantineMode", *r.InQuarantineMode))
	for _, v := range h.vms {
		w.showConnection(v)
	}
	w.summarise()
}
