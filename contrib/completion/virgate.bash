_virgate_completion() {
    local IFS=$'\n' response type value
    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" _VIRGATE_COMPLETE=bash_complete $1)
    for response in $response; do
        IFS=',' read -r type value <<<"$response"
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain) printf -v value %q "$value"; COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F _virgate_completion virgate
