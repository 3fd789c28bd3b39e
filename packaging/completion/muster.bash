# bash completion for muster(8)                            -*- shell-script -*-

_muster() {
    local cur prev words cword
    _init_completion -n = || return
    local commands='run plan metadata probe status deliver config watch tune' command='' word
    case $prev in
    --config) _filedir json; return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'debug info warning error' -- "$cur"); return ;;
    --svg | --fragment) _filedir; return ;;
    --wait) mapfile -t COMPREPLY < <(compgen -W 'storage ready' -- "$cur"); return ;;
    esac
    for word in "${words[@]:1:cword-1}"; do
        [[ " $commands " != *" $word "* ]] || { command=$word; break; }
    done
    local offered='--config --log-level --help --version'
    case $command in
    '') offered+=" $commands" ;;
    run) offered+=' --json --if-died' ;;
    status) offered+=' --json --wait --svg' ;;
    deliver) offered+=' --test --for' ;;
    tune)
        offered+=' --json --svg --fragment --by-kind --look-cost --recreation-cost'
        _filedir
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$offered" -- "$cur")
        return
        ;;
    probe) offered+=' --json root ebs checks' ;;
    plan | metadata) offered+=' --json' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$cur")
} && complete -F _muster muster
