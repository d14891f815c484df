module epemu-go

go 1.19
