package main

import "math"

// settleMode says whether a host's load is taken as the file has it or worked
// out from what its VMs want.
type settleMode int

const (
	settleFromFile settleMode = iota
	settleFromDemand
)

// settle recomputes the load of a host and its VMs. The running VMs get what
// they want, at most their limit; where the host cannot give that, all are cut
// by the same factor. The file's own usage and ready values hold until the
// first change on the host.
//
// The values are written without notice: a real server does not announce
// changes of quickStats either.
func (w *world) settle(h *hostState, mode settleMode) {
	share := cpuShare(h)
	cpu, memory := h.spec.CPUOverheadMHz, h.spec.MemoryOverheadMiB
	for _, v := range h.vms {
		if mode == settleFromDemand || v.spec.CPUUsageMHz == nil {
			v.receive(share)
		}
		v.showStats()
		if v.isOn() {
			cpu += value(v.spec.CPUUsageMHz)
			memory += v.consumedMiB()
		}
	}
	h.spec.CPUUsageMHz, h.spec.MemoryUsageMiB = &cpu, &memory
	h.obj.Summary.QuickStats.OverallCpuUsage = whole(cpu)
	h.obj.Summary.QuickStats.OverallMemoryUsage = whole(memory)
	h.obj.Summary.QuickStats.Uptime = runningSinceSeconds
}

// cpuShare is the part of its demand that each VM of the host gets, 0..1.
func cpuShare(h *hostState) float64 {
	wanted := 0.0
	for _, v := range h.poweredOn() {
		wanted += v.wantedMHz()
	}
	available := h.spec.CPUCapacityMHz - h.spec.CPUOverheadMHz
	if wanted <= available || wanted == 0 {
		return 1
	}
	return math.Max(0, available/wanted)
}

// wantedMHz is the VM's demand, cut at its own limit.
func (v *vmState) wantedMHz() float64 {
	demand := value(firstKnown(v.spec.CPUDemandMHz, v.spec.CPUUsageMHz))
	if limit := v.spec.CPULimitMHz; limit != nil && *limit >= 0 {
		return math.Min(demand, *limit)
	}
	return demand
}

// receive gives the VM its share of the CPU; what is missing shows as ready
// time.
func (v *vmState) receive(share float64) {
	demand := firstKnown(v.spec.CPUDemandMHz, v.spec.CPUUsageMHz)
	if demand == nil {
		return
	}
	usage, ready := v.wantedMHz()*share, 100*(1-share)
	v.spec.CPUDemandMHz = demand
	v.spec.CPUUsageMHz = &usage
	v.spec.CPUReadyPercent = &ready
}

// showStats writes the VM's numbers into its quickStats and hides those that
// nobody knows.
func (v *vmState) showStats() {
	s, q := v.spec, &v.obj.Summary.QuickStats
	v.hidden = map[string]bool{}
	for _, f := range []struct {
		path  string
		known *float64
		field *int32
	}{
		{"overallCpuUsage", s.CPUUsageMHz, &q.OverallCpuUsage},
		{"overallCpuDemand", s.CPUDemandMHz, &q.OverallCpuDemand},
		{"overallCpuReadiness", s.CPUReadyPercent, &q.OverallCpuReadiness},
		{"guestMemoryUsage", s.MemoryActiveMiB, &q.GuestMemoryUsage},
		{"activeMemory", s.MemoryActiveMiB, &q.ActiveMemory},
		{"hostMemoryUsage", s.MemoryConsumedMiB, &q.HostMemoryUsage},
		{"grantedMemory", s.MemoryGrantedMiB, &q.GrantedMemory},
		{"swappedMemory", s.MemorySwappedMiB, &q.SwappedMemory},
		{"balloonedMemory", s.MemoryBalloonedMiB, &q.BalloonedMemory},
	} {
		*f.field = 0
		if v.isOn() {
			v.hidden["summary.quickStats."+f.path] = f.known == nil
			*f.field = whole(value(f.known))
		}
	}
	q.UptimeSeconds = 0
	if v.isOn() {
		q.UptimeSeconds = runningSinceSeconds
	}
}

func whole(f float64) int32 { return int32(math.Round(f)) }
