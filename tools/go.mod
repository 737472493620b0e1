module galene/tools

go 1.26
