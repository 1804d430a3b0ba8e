#!/bin/sh
# Creates the two roles of the balancer on a vCenter with govc, or brings them up to date, and on request
# gives them to an account. Run it as somebody who may change roles and permissions. See README.md.
set -eu

usage() {
	cat <<'END'
Usage: create-roles.sh [--dry-run] [--principal ACCOUNT [--group] [--execute PATH]...]

Creates the roles balancer-reader and balancer-executor, or sets their privileges anew.

  --principal ACCOUNT  give balancer-reader on the vCenter's root to this account
                       (balancer@vsphere.local), propagating
  --group              the account is a group
  --execute PATH       and balancer-executor on this cluster or VM folder
                       (/dc/host/prod), propagating; may be repeated
  --dry-run            print the commands and run none
  --help               this text

govc finds the vCenter and the login in its own variables: GOVC_URL, GOVC_USERNAME,
GOVC_PASSWORD, GOVC_TLS_CA_CERTS. Another program is used where GOVC names one.
END
}

fail() {
	echo "create-roles.sh: $1" >&2
	exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
govc=${GOVC:-govc}
dry_run=
principal=
group=false
paths=

while [ $# -gt 0 ]; do
	case $1 in
	--help | -h)
		usage
		exit 0
		;;
	--dry-run) dry_run=yes ;;
	--group) group=true ;;
	--principal | --execute)
		[ $# -ge 2 ] || fail "$1 needs a value; see --help"
		case $1 in
		--principal) principal=$2 ;;
		*) paths="$paths$2
" ;;
		esac
		shift
		;;
	*) fail "unknown option '$1'; see --help" ;;
	esac
	shift
done
[ -n "$principal" ] || [ -z "$paths" ] || fail "--execute needs --principal; see --help"
[ -n "$dry_run" ] || command -v "$govc" >/dev/null || fail "there is no '$govc'; install govc or set GOVC"

# run COMMAND...: run it, or print it.
run() {
	if [ -n "$dry_run" ]; then
		echo "$*"
	else
		"$@"
	fi
}

# privileges ROLE: the ids of a role, without comments.
privileges() {
	sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$here/$1.privileges"
}

# role NAME: create a role, or set the privileges of one that exists.
role() {
	# Ids hold no blanks: splitting them into words is what is wanted.
	if [ -z "$dry_run" ] && "$govc" role.ls "$1" >/dev/null 2>&1; then
		# shellcheck disable=SC2046
		run "$govc" role.update "$1" $(privileges "$1")
	else
		# shellcheck disable=SC2046
		run "$govc" role.create "$1" $(privileges "$1")
	fi
}

# permit ROLE PATH: give a role to the account on an object and below.
permit() {
	run "$govc" permissions.set -principal "$principal" -group="$group" -propagate=true -role "$1" "$2"
}

role balancer-reader
role balancer-executor
if [ -n "$principal" ]; then
	permit balancer-reader /
	printf '%s' "$paths" | while IFS= read -r path; do
		permit balancer-executor "$path"
	done
fi
