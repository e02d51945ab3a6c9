// Go's part: reads lines `JOB N`, does the job N times, answers nanoseconds.
package main

import (
	"fmt"
	"runtime"
	"time"
)

func create(n int) {
	done := make(chan int)
	for i := 0; i < n; i++ {
		go func() { done <- 1 }()
		<-done
	}
}

func spawn(n int) {
	for i := 0; i < n; i++ {
		result := make(chan int, 1)
		go func(i int) { result <- i }(i)
		<-result
	}
}

func pingpong(n int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
	}()
	for i := 0; i < n; i++ {
		ping <- i
		<-pong
	}
	close(ping)
}

func main() {
	runtime.GOMAXPROCS(1) // one core, as everybody here
	jobs := map[string]func(int){"create": create, "spawn": spawn, "pingpong": pingpong,
		"hello": func(int) {}}
	for {
		var job string
		var n int
		if _, err := fmt.Scan(&job, &n); err != nil {
			return
		}
		begin := time.Now()
		jobs[job](n)
		fmt.Println(time.Since(begin).Nanoseconds())
	}
}
