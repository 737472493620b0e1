package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"

	"galene/config"
)

// mutexSampling is how many contentions of a lock make one sample.
const mutexSampling = 100

// profiles are the profiles that are being made. Go keeps them for the whole
// process, so that only one server of a process can ask for them.
type profiles struct {
	cpu, memory, mutex *os.File // nil if not wanted
}

// startProfiles creates the files and begins to measure. The caller calls stop
// in the end.
func startProfiles(flags config.Flags) (*profiles, error) {
	p := new(profiles)
	for _, wanted := range []struct {
		name string
		file **os.File
	}{
		{flags.CPUProfile, &p.cpu},
		{flags.MemProfile, &p.memory},
		{flags.MutexProfile, &p.mutex},
	} {
		if wanted.name == "" {
			continue
		}
		file, err := os.Create(wanted.name)
		if err != nil {
			_ = p.close()
			return nil, fmt.Errorf("create profile: %w", err)
		}
		*wanted.file = file
	}
	if p.mutex != nil {
		runtime.SetMutexProfileFraction(mutexSampling)
	}
	if p.cpu != nil {
		if err := pprof.StartCPUProfile(p.cpu); err != nil {
			_ = p.close()
			return nil, fmt.Errorf("start CPU profile: %w", err)
		}
	}
	return p, nil
}

// stop writes the profiles.
func (p *profiles) stop() error {
	var errs []error
	if p.cpu != nil {
		pprof.StopCPUProfile()
	}
	if p.memory != nil {
		runtime.GC() // so that the profile is about what is in use
		errs = append(errs, pprof.WriteHeapProfile(p.memory))
	}
	if p.mutex != nil {
		errs = append(errs, pprof.Lookup("mutex").WriteTo(p.mutex, 0))
		runtime.SetMutexProfileFraction(0)
	}
	if err := errors.Join(append(errs, p.close())...); err != nil {
		return fmt.Errorf("write profiles: %w", err)
	}
	return nil
}

// close closes the files.
func (p *profiles) close() error {
	var errs []error
	for _, file := range []*os.File{p.cpu, p.memory, p.mutex} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
