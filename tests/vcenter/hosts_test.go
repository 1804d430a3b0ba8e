package main

import (
	"slices"
	"testing"
)

func TestCoresAndSpeedMultiplyToTheCapacity(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  Host
		cores int
		mhz   int32
	}{
		{"cores are given", Host{CPUCores: 32, CPUCapacityMHz: 83200}, 32, 2600},
		{"a product near 2,600 MHz", Host{CPUCapacityMHz: 83200}, 32, 2600},
		{"a small host", Host{CPUCapacityMHz: 2000}, 1, 2000},
		{"a prime capacity is rounded", Host{CPUCapacityMHz: 10007}, 4, 2502},
	} {
		cores, mhz := cpuShape(&c.spec)
		if cores != c.cores || mhz != c.mhz {
			t.Errorf("%s: %d cores of %d MHz, want %d of %d", c.name, cores, mhz, c.cores, c.mhz)
		}
	}
}

func TestLinkSpeedsAddUpToTheSum(t *testing.T) {
	for sum, want := range map[int32][]int32{
		10000: {10000}, 25000: {25000}, 20000: {10000, 10000}, 50000: {50000}, 200000: {100000, 100000}, 12345: {12345},
	} {
		if got := links(sum); !slices.Equal(got, want) {
			t.Errorf("%d Mbit/s are cards of %v, want %v", sum, got, want)
		}
	}
}
