#!/bin/sh
# QEMU whose guests have 8 KiB more memory than they were given.
#
# QEMU before 9.0 that emulates the processor loses writes of a busy guest while it migrates: it clears the marks of
# changed pages in groups of 64 and forgets to tell the emulator so. Where the memory is no multiple of 64 pages it goes
# page by page, and that way is right.
for word do
    shift
    case $word in
        *'"qom-type":"memory-backend-'*'"size":'*)
            size=${word##*'"size":'}
            size=${size%%[!0-9]*}
            word=$(printf '%s' "$word" | sed "s/\"size\":$size/\"size\":$((size + 8192))/")
            ;;
        size=*k) word=size=$((${word#size=} + 8))k ;;
    esac
    if [ "$before" = -m ]; then
        case $word in
            *[!0-9]*) ;;
            *) word=$((word * 1024 + 8))k ;;
        esac
    fi
    before=$word
    set -- "$@" "$word"
done
exec /usr/bin/qemu-system-x86_64 "$@"
