# A thousand single steps of the demo kernel, for tests/monitor/steps.sh.
set confirm off
set pagination off
set width 0
break kernel_main
continue
delete
set $n=0
while $n<1000
    printf "step %08x\n", $pc
    stepi
    set $n=$n+1
end
printf "the session is over\n"
kill
