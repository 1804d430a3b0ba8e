package main

import (
	"math"
	"testing"
)

func number(f float64) *float64 { return &f }

// loadedHost is a host of 10,000 MHz of which the hypervisor takes 1,000.
func loadedHost(vms ...*VM) *hostState {
	h := &hostState{spec: &Host{CPUCapacityMHz: 10000, CPUOverheadMHz: 1000, MemoryOverheadMiB: 500}, obj: &hostObject{}}
	for _, spec := range vms {
		h.vms = append(h.vms, &vmState{spec: spec, obj: &vmObject{}, host: h})
	}
	return h
}

func TestVMsGetWhatTheyWantWhereThereIsEnough(t *testing.T) {
	h := loadedHost(
		&VM{CPUDemandMHz: number(3000), MemoryConsumedMiB: number(2000)},
		&VM{CPUDemandMHz: number(9000), CPULimitMHz: number(1000), MemoryMiB: 4000},
		&VM{CPUDemandMHz: number(5000), MemoryConsumedMiB: number(7000), Power: "off"},
	)
	new(world).settle(h, settleFromDemand)
	stats := h.obj.Summary.QuickStats
	if stats.OverallCpuUsage != 5000 || stats.OverallMemoryUsage != 6500 {
		t.Errorf("the host uses %d MHz and %d MiB, want 5000 and 6500", stats.OverallCpuUsage, stats.OverallMemoryUsage)
	}
	if got := h.vms[1].obj.Summary.QuickStats.OverallCpuUsage; got != 1000 {
		t.Errorf("the limited VM uses %d MHz, want 1000", got)
	}
}

func TestVMsAreCutByOneFactorWhereThereIsNot(t *testing.T) {
	h := loadedHost(&VM{CPUDemandMHz: number(12000)}, &VM{CPUDemandMHz: number(6000)})
	new(world).settle(h, settleFromDemand)
	if got := h.obj.Summary.QuickStats.OverallCpuUsage; got != 10000 {
		t.Errorf("the host uses %d MHz, want all 10000", got)
	}
	for i, want := range []int32{6000, 3000} {
		stats := h.vms[i].obj.Summary.QuickStats
		if stats.OverallCpuUsage != want || stats.OverallCpuReadiness != 50 {
			t.Errorf("VM %d uses %d MHz, ready %d %%, want %d and 50", i, stats.OverallCpuUsage, stats.OverallCpuReadiness, want)
		}
	}
}

func TestTheFilesOwnUsageHoldsUntilTheFirstChange(t *testing.T) {
	h := loadedHost(&VM{CPUDemandMHz: number(3000), CPUUsageMHz: number(2500)})
	w := new(world)
	w.settle(h, settleFromFile)
	if got := value(h.spec.CPUUsageMHz); math.Abs(got-3500) > 1e-9 {
		t.Errorf("the host uses %v MHz at first, want 3500", got)
	}
	w.settle(h, settleFromDemand)
	if got := value(h.spec.CPUUsageMHz); math.Abs(got-4000) > 1e-9 {
		t.Errorf("the host uses %v MHz after a change, want 4000", got)
	}
}

func TestUnknownNumbersAreHidden(t *testing.T) {
	h := loadedHost(&VM{CPUDemandMHz: number(1)})
	new(world).settle(h, settleFromFile)
	hidden := h.vms[0].hidden
	if hidden["summary.quickStats.overallCpuDemand"] || !hidden["summary.quickStats.guestMemoryUsage"] {
		t.Errorf("hidden are %v", hidden)
	}
}
