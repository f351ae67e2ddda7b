# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_authctl_global_optspecs
    string join \n h/help V/version
end

function __fish_authctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_authctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_authctl_using_subcommand
    set -l cmd (__fish_authctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c authctl -n "__fish_authctl_needs_command" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_needs_command" -s V -l version -d 'Print version'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "login" -d 'Log in to an account, once for all programs'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "logout" -d 'Forget an account\'s grant, and revoke it at the server where that is possible'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "token" -d 'Print an access token, and nothing else, on standard output'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "status" -d 'Show the daemon and its accounts, what is wrong and the command that mends it'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "doctor" -d 'Say what is wrong, and the command that mends it. Starts nothing'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "log" -d 'Tell what has happened to the accounts, and which program was given which token. Starts nothing'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "account" -d 'Add, look at and remove accounts'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "client" -d 'Look at and forget the clients that mcp-authd has registered at servers'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "provider" -d 'Look at authorization servers, and at the providers that an account can name'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "reload" -d 'Have config.toml read again, after a change by hand'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "service" -d 'Have the service manager of this machine start the daemon, or not any more'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "daemon" -d 'Start, stop and look at the daemon itself'
complete -c authctl -n "__fish_authctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l no-browser -d 'Open no browser; only show where to go'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l no-qr -d 'Draw no QR code. None is drawn in a pipe, without colours, or where it has no room'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l json -d 'Tell what happens as JSON, for a program; opens no browser'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l paste -d 'Take the answer of a browser on another machine by hand: over SSH, in a container or WSL. Opens no browser'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l cancel -d 'End the login that waits. What the account holds is not touched'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l again -d 'Log in although the account holds a good token'
complete -c authctl -n "__fish_authctl_using_subcommand login" -l replace -d 'Log in again, and let another user come into the account'
complete -c authctl -n "__fish_authctl_using_subcommand login" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand logout" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand token" -l resource -d 'The account for this protected resource (RFC 8707), matched byte for byte' -r
complete -c authctl -n "__fish_authctl_using_subcommand token" -l scope -d 'A scope that the token must cover; may be repeated' -r
complete -c authctl -n "__fish_authctl_using_subcommand token" -l min-validity -d 'How long the token must still live: 90s, 5m, 1h30m' -r
complete -c authctl -n "__fish_authctl_using_subcommand token" -l wait -d 'Begin a login where one is needed, and wait for the token'
complete -c authctl -n "__fish_authctl_using_subcommand token" -l force -d 'Print the token although standard output is a terminal'
complete -c authctl -n "__fish_authctl_using_subcommand token" -l json -d 'Print the token as a JSON object: account, access_token, token_type, expires_in (seconds), scopes, resource'
complete -c authctl -n "__fish_authctl_using_subcommand token" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand status" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand status" -l watch -d 'Stay, and show each change until Ctrl-C'
complete -c authctl -n "__fish_authctl_using_subcommand status" -l schema -d 'Print the JSON Schema of --json, and ask nobody'
complete -c authctl -n "__fish_authctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand doctor" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand doctor" -l offline -d 'Ask no server'
complete -c authctl -n "__fish_authctl_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand log" -l last -d 'How many of the latest are told first' -r
complete -c authctl -n "__fish_authctl_using_subcommand log" -l follow -d 'Stay, and tell what comes until Ctrl-C'
complete -c authctl -n "__fish_authctl_using_subcommand log" -l json -d 'Print one JSON object per line, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand log" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -f -a "add" -d 'Write an account into config.toml, and serve it at once'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -f -a "list" -d 'List the accounts, one a line'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -f -a "show" -d 'Show everything that is known about one account'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -f -a "remove" -d 'Take an account out of config.toml, forget its login, and revoke it'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -f -a "set-secret" -d 'Give the daemon the secret of an account\'s client, on standard input'
complete -c authctl -n "__fish_authctl_using_subcommand account; and not __fish_seen_subcommand_from add list show remove set-secret help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l issuer -d 'The authorization server, where it publishes its metadata (RFC 8414)' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l device-authorization-endpoint -d 'In the place of the issuer, for a server without metadata (RFC 8628)' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l token-endpoint -d 'Beside the device authorization endpoint' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l revocation-endpoint -d 'Beside them, where there is one (RFC 7009)' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l provider -d 'A server that mcp-authd knows how to talk to: authctl provider list' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l provider-parameter -d 'What the provider asks each account for; may be repeated' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l token-file -d 'In the place of a login: a file that holds an access token' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l client-id -d 'The client, as the server knows it' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l client-id-metadata-document -d 'In the place of a client ID: the URL of a metadata document, where the server takes one' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l flow -d 'How a login goes: device (a code), code (a browser). Left out: the server decides' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l scope -d 'What a login asks for; may be repeated' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l resource -d 'The protected resource (RFC 8707), sent byte for byte' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l audience -d 'For servers that want an audience in the place of the resource' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l parameter -d 'A further parameter of the login\'s first request; may be repeated' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l token-endpoint-auth-method -d 'How the client proves who it is: none, client_secret_basic, client_secret_post' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l client-secret-file -d 'A file with the client\'s secret; the daemon reads it. Else: account set-secret' -r
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from remove" -l yes -d 'Do not ask'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON object, for a program; wants --yes'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from set-secret" -l forget -d 'Forget the secret that is kept'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from set-secret" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "add" -d 'Write an account into config.toml, and serve it at once'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the accounts, one a line'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything that is known about one account'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take an account out of config.toml, forget its login, and revoke it'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "set-secret" -d 'Give the daemon the secret of an account\'s client, on standard input'
complete -c authctl -n "__fish_authctl_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand client; and not __fish_seen_subcommand_from list forget help" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand client; and not __fish_seen_subcommand_from list forget help" -f -a "list" -d 'Show the clients that mcp-authd has registered at servers'
complete -c authctl -n "__fish_authctl_using_subcommand client; and not __fish_seen_subcommand_from list forget help" -f -a "forget" -d 'Forget the client that was registered at an issuer'
complete -c authctl -n "__fish_authctl_using_subcommand client; and not __fish_seen_subcommand_from list forget help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from forget" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show the clients that mcp-authd has registered at servers'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "forget" -d 'Forget the client that was registered at an issuer'
complete -c authctl -n "__fish_authctl_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and not __fish_seen_subcommand_from check list show help" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and not __fish_seen_subcommand_from check list show help" -f -a "check" -d 'Find out what stands behind a URL, and how a login there would go'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and not __fish_seen_subcommand_from check list show help" -f -a "list" -d 'List the providers that an account can name, and what it has to give for each'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and not __fish_seen_subcommand_from check list show help" -f -a "show" -d 'Show one: what an account gives, what it means, and its file'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and not __fish_seen_subcommand_from check list show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from check" -l issuer -d 'One of the authorization servers that the resource names. Left out: the first that can be used' -r
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from check" -l client-id -d 'The client that the account would have, where the server knows one of yours' -r
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from help" -f -a "check" -d 'Find out what stands behind a URL, and how a login there would go'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the providers that an account can name, and what it has to give for each'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one: what an account gives, what it means, and its file'
complete -c authctl -n "__fish_authctl_using_subcommand provider; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand reload" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "install" -d 'Have the service manager start the daemon, at each login. A daemon that runs hands over'
complete -c authctl -n "__fish_authctl_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "uninstall" -d 'Undo that. A refresh in flight is finished first; logins stay'
complete -c authctl -n "__fish_authctl_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "status" -d 'Show the units, whether they run, and what is wrong with them. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "logs" -d 'Show what the daemon has said'
complete -c authctl -n "__fish_authctl_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from install" -l dry-run -d 'Print the files and the commands, and change nothing'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from install" -l force -d 'Write units anew that somebody has edited. What stands beside them (systemctl --user edit) is never touched'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from uninstall" -l dry-run -d 'Print the files and the commands, and change nothing'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from uninstall" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from logs" -s n -l lines -d 'How many lines of the past' -r
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Stay, and show what comes, until Ctrl-C'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "install" -d 'Have the service manager start the daemon, at each login. A daemon that runs hands over'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "uninstall" -d 'Undo that. A refresh in flight is finished first; logins stay'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the units, whether they run, and what is wrong with them. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "logs" -d 'Show what the daemon has said'
complete -c authctl -n "__fish_authctl_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and not __fish_seen_subcommand_from start stop status run help" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and not __fish_seen_subcommand_from start stop status run help" -f -a "start" -d 'Start the daemon as programs do, and wait until it serves'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and not __fish_seen_subcommand_from start stop status run help" -f -a "stop" -d 'End the daemon, and its service; what is in flight is finished first. No program starts it again until `authctl daemon start`'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and not __fish_seen_subcommand_from start stop status run help" -f -a "status" -d 'Show whether it runs, where, who owns the store, and how it would be started. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and not __fish_seen_subcommand_from start stop status run help" -f -a "run" -d 'Become the daemon, in the foreground'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and not __fish_seen_subcommand_from start stop status run help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON object, for a program'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "start" -d 'Start the daemon as programs do, and wait until it serves'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "stop" -d 'End the daemon, and its service; what is in flight is finished first. No program starts it again until `authctl daemon start`'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show whether it runs, where, who owns the store, and how it would be started. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "run" -d 'Become the daemon, in the foreground'
complete -c authctl -n "__fish_authctl_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "login" -d 'Log in to an account, once for all programs'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "logout" -d 'Forget an account\'s grant, and revoke it at the server where that is possible'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "token" -d 'Print an access token, and nothing else, on standard output'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "status" -d 'Show the daemon and its accounts, what is wrong and the command that mends it'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "doctor" -d 'Say what is wrong, and the command that mends it. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "log" -d 'Tell what has happened to the accounts, and which program was given which token. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "account" -d 'Add, look at and remove accounts'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "client" -d 'Look at and forget the clients that mcp-authd has registered at servers'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "provider" -d 'Look at authorization servers, and at the providers that an account can name'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "reload" -d 'Have config.toml read again, after a change by hand'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "service" -d 'Have the service manager of this machine start the daemon, or not any more'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "daemon" -d 'Start, stop and look at the daemon itself'
complete -c authctl -n "__fish_authctl_using_subcommand help; and not __fish_seen_subcommand_from login logout token status doctor log account client provider reload service daemon help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "add" -d 'Write an account into config.toml, and serve it at once'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "list" -d 'List the accounts, one a line'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "show" -d 'Show everything that is known about one account'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "remove" -d 'Take an account out of config.toml, forget its login, and revoke it'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "set-secret" -d 'Give the daemon the secret of an account\'s client, on standard input'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "list" -d 'Show the clients that mcp-authd has registered at servers'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "forget" -d 'Forget the client that was registered at an issuer'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from provider" -f -a "check" -d 'Find out what stands behind a URL, and how a login there would go'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from provider" -f -a "list" -d 'List the providers that an account can name, and what it has to give for each'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from provider" -f -a "show" -d 'Show one: what an account gives, what it means, and its file'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "install" -d 'Have the service manager start the daemon, at each login. A daemon that runs hands over'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "uninstall" -d 'Undo that. A refresh in flight is finished first; logins stay'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "status" -d 'Show the units, whether they run, and what is wrong with them. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "logs" -d 'Show what the daemon has said'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "start" -d 'Start the daemon as programs do, and wait until it serves'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "stop" -d 'End the daemon, and its service; what is in flight is finished first. No program starts it again until `authctl daemon start`'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "status" -d 'Show whether it runs, where, who owns the store, and how it would be started. Starts nothing'
complete -c authctl -n "__fish_authctl_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "run" -d 'Become the daemon, in the foreground'
