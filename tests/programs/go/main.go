// SPDX-License-Identifier: MIT

// A web server and its clients, pipes, children and timers on Go's poller.
// The runtime waits with epoll_pwait (and a null mask), breaks the wait by an
// eventfd (a pipe before Go 1.23), and preempts busy goroutines by SIGURG.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	clients    = 100
	rounds     = 10
	goroutines = 1000
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// each runs f for 0 to n-1, all at once.
func each(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := 0; i < n; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			f(i)
		}(i)
	}
	group.Wait()
}

func webServer() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		must(err)
		fmt.Fprintf(w, "%x", sha256.Sum256(body))
	}
	server := &http.Server{Handler: http.HandlerFunc(handler)}
	go server.Serve(listener)
	url := "http://" + listener.Addr().String()
	var right int64
	each(clients, func(i int) {
		client := &http.Client{Transport: &http.Transport{}}
		for turn := 0; turn < rounds; turn++ {
			body := bytes.Repeat([]byte{byte(i)}, 1+i*turn*13)
			reply, err := client.Post(url, "", bytes.NewReader(body))
			must(err)
			text, err := io.ReadAll(reply.Body)
			must(err)
			reply.Body.Close()
			if string(text) == fmt.Sprintf("%x", sha256.Sum256(body)) {
				atomic.AddInt64(&right, 1)
			}
		}
		client.CloseIdleConnections()
	})
	must(server.Close())
	fmt.Println("http: right answers", right)
}

// unixEcho keeps all clients connected until the last one has come.
func unixEcho(place string) {
	listener, err := net.Listen("unix", filepath.Join(place, "sock"))
	must(err)
	go func() {
		for {
			peer, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(peer, peer)
				peer.Close()
			}()
		}
	}()
	var all sync.WaitGroup
	var total int64
	all.Add(clients)
	each(clients, func(i int) {
		conn, err := net.Dial("unix", listener.Addr().String())
		must(err)
		all.Done()
		all.Wait()
		sent := bytes.Repeat([]byte{byte(i)}, 1000*i)
		go func() {
			conn.Write(sent)
			conn.(*net.UnixConn).CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		must(err)
		conn.Close()
		if bytes.Equal(sent, got) {
			atomic.AddInt64(&total, int64(len(got)))
		}
	})
	listener.Close()
	fmt.Println("unix: bytes echoed", total)
}

// deadlines gives up reads that nothing can answer.
func deadlines() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	var timeouts, early int64
	each(50, func(i int) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		must(err)
		defer conn.Close()
		due := time.Now().Add(time.Duration(i) * time.Millisecond)
		must(conn.SetReadDeadline(due))
		_, err = conn.Read(make([]byte, 1))
		if err, ok := err.(net.Error); ok && err.Timeout() {
			atomic.AddInt64(&timeouts, 1)
		}
		if time.Now().Before(due) {
			atomic.AddInt64(&early, 1)
		}
	})
	fmt.Println("deadlines:", timeouts, "timeouts,", early, "early")
}

// busy goroutines that call nothing are preempted by signals, while a chain
// of others passes a value along and timers run.
func busy() {
	var stop int32
	var spinning sync.WaitGroup
	for i := 0; i < 4; i++ {
		spinning.Add(1)
		go func() {
			defer spinning.Done()
			for n := 0; atomic.LoadInt32(&stop) == 0; n++ {
			}
		}()
	}
	first := make(chan int)
	last := first
	for i := 0; i < goroutines; i++ {
		next := make(chan int)
		go func(from, to chan int) {
			for n := range from {
				to <- n + 1
			}
			close(to)
		}(last, next)
		last = next
	}
	total := 0
	for i := 0; i < 20; i++ {
		first <- i
		total += <-last
		time.Sleep(time.Millisecond)
	}
	close(first)
	atomic.StoreInt32(&stop, 1)
	spinning.Wait()
	fmt.Println("busy: chain sum", total)
}

func children() {
	lines := make([]string, 20)
	each(len(lines), func(i int) {
		command := exec.Command("/bin/sh", "-c", fmt.Sprint("cat; exit ", i))
		command.Stdin = bytes.NewReader(make([]byte, i*5000))
		var out bytes.Buffer
		command.Stdout = &out
		command.Run()
		lines[i] = fmt.Sprintf("%d:%d", command.ProcessState.ExitCode(),
			out.Len())
	})
	fmt.Println("children:", lines)
}

func signals() {
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, syscall.SIGUSR1)
	for i := 0; i < 50; i++ {
		must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		<-seen
	}
	signal.Stop(seen)
	fmt.Println("signals: 50")
}

func main() {
	place, err := os.MkdirTemp("", "go")
	must(err)
	defer os.RemoveAll(place)
	webServer()
	unixEcho(place)
	deadlines()
	busy()
	children()
	signals()
}
