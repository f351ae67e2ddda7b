complete -c mcp-authd -l config -d 'Read this file instead of $XDG_CONFIG_HOME/mcp-authd/config.toml' -r -F
complete -c mcp-authd -l idle-exit -d 'Leave when nobody has been connected for so long; 0: never.' -r
complete -c mcp-authd -l take-over -d 'Ask an mcp-authd that serves already to leave, and take its place. For service managers'
complete -c mcp-authd -l unless-stopped -d 'Do not serve where `authctl daemon stop` has left its mark. For programs that start the daemon'
complete -c mcp-authd -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mcp-authd -s V -l version -d 'Print version'
