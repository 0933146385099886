// Go's net package, whose "unixpacket" is SEQPACKET. The roles are those of role.mjs.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	warmUp = iota
	measured
	last
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func report(messages int, seconds, cpu float64) {
	fmt.Printf("{\"messages\":%d,\"seconds\":%.9f,\"cpuSeconds\":%.6f}\n", messages, seconds, cpu)
}

// The sending side: which message comes next, by the clock.
type pace struct {
	messages          [3][]byte
	phase             int
	untilCheck, every int
	times             [2]time.Duration
	began             time.Time
	cpu               float64
	count             int
}

func newPace(size int, times [2]time.Duration) *pace {
	p := &pace{untilCheck: 1, every: 64, times: times, began: time.Now()}
	if size >= 16384 {
		p.every = 4
	}
	for phase := range p.messages {
		p.messages[phase] = make([]byte, size)
		for i := range p.messages[phase] {
			p.messages[phase][i] = byte(phase)
		}
	}
	return p
}

// The next message, or nil after the last.
func (p *pace) next() []byte {
	if p.phase == last {
		return nil
	}
	p.count++
	p.untilCheck--
	if p.untilCheck == 0 {
		p.untilCheck = p.every
		if time.Since(p.began) >= p.times[p.phase] {
			p.phase++
			if p.phase == measured {
				p.began, p.cpu, p.count = time.Now(), cpuSeconds(), 1
			}
		}
	}
	return p.messages[p.phase]
}

// The receiving side.
type meter struct {
	phase        int
	count        int
	began, ended time.Time
	cpu          float64
}

// Notes a message by its first byte; false after the last.
func (m *meter) saw(phase int) bool {
	m.count++
	if phase != m.phase {
		m.phase = phase
		if phase == last {
			m.ended = time.Now()
		} else {
			m.began, m.cpu, m.count = time.Now(), cpuSeconds(), 0
		}
	}
	return phase != last
}

func (m *meter) report() {
	report(m.count, m.ended.Sub(m.began).Seconds(), cpuSeconds()-m.cpu)
}

func acceptOne(path string) net.Conn {
	listener, err := net.Listen("unixpacket", path)
	check(err)
	fmt.Println(`{"ready":true}`)
	connection, err := listener.Accept()
	check(err)
	return connection
}

func connect(path string) net.Conn {
	connection, err := net.Dial("unixpacket", path)
	check(err)
	return connection
}

func read(connection net.Conn, buffer []byte) {
	_, err := connection.Read(buffer)
	check(err)
}

func write(connection net.Conn, message []byte) {
	_, err := connection.Write(message)
	check(err)
}

func main() {
	role, path, size := os.Args[1], os.Args[2], number(os.Args[3])
	times := [2]time.Duration{}
	for i := range times {
		times[i] = time.Duration(number(os.Args[4+i])) * time.Millisecond
	}
	buffer := make([]byte, size)
	switch role {
	case "echo", "sink":
		connection, m := acceptOne(path), meter{}
		for more := true; more; {
			read(connection, buffer)
			more = m.saw(int(buffer[0]))
			if role == "echo" {
				write(connection, buffer)
			}
		}
		m.report()
	case "ping", "flood":
		connection, p := connect(path), newPace(size, times)
		for message := p.next(); message != nil; message = p.next() {
			write(connection, message)
			if role == "ping" {
				read(connection, buffer)
			}
		}
		if role == "ping" {
			report(p.count, time.Since(p.began).Seconds(), cpuSeconds()-p.cpu)
		} else {
			fmt.Printf("{\"cpuSeconds\":%.6f}\n", cpuSeconds()-p.cpu)
		}
	default:
		log.Fatalf("no role %s", role)
	}
}
