module epemu-bench-go

go 1.19
