#Requires -Modules VMware.VimAutomation.Core
<#
.SYNOPSIS
Creates the two roles of the balancer on a vCenter, or brings them up to date, and on request gives them to
an account.

.DESCRIPTION
Connect first, as somebody who may change roles and permissions: Connect-VIServer vcenter.example.com
The privileges are read from the lists beside this script. See README.md.

.PARAMETER Principal
The account or group that gets balancer-reader on the vCenter's root, propagating, such as
VSPHERE.LOCAL\balancer. Without it, only the roles are made.

.PARAMETER Execute
Names of clusters on which the account also gets balancer-executor, propagating.

.PARAMETER Server
The vCenter, where several are connected.

.EXAMPLE
./Create-Roles.ps1 -Principal 'VSPHERE.LOCAL\balancer' -Execute prod-a, prod-b

.EXAMPLE
./Create-Roles.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [string] $Principal,
    [string[]] $Execute = @(),
    [string] $Server = $global:DefaultVIServer.Name
)

$ErrorActionPreference = 'Stop'
if (-not $Server) {
    throw 'Not connected. Run Connect-VIServer first.'
}
if ($Execute -and -not $Principal) {
    throw '-Execute needs -Principal.'
}

function Get-Ids([string] $Role) {
    Get-Content (Join-Path $PSScriptRoot "$Role.privileges") |
        ForEach-Object { ($_ -replace '#.*', '').Trim() } |
        Where-Object { $_ }
}

# vCenter adds System.Anonymous, System.View and System.Read to every role by itself, and PowerCLI does not
# let them be removed: so only what is beyond the list is taken away, and only what is missing is added.
function Set-BalancerRole([string] $Name) {
    $wanted = @(Get-Ids $Name)
    $privileges = Get-VIPrivilege -Server $Server -Id $wanted
    $role = Get-VIRole -Server $Server -Name $Name -ErrorAction SilentlyContinue
    if (-not $role) {
        if ($PSCmdlet.ShouldProcess($Name, 'create role')) {
            $role = New-VIRole -Server $Server -Name $Name -Privilege $privileges
        }
        return $role
    }
    $missing = @($privileges | Where-Object { $role.PrivilegeList -notcontains $_.Id })
    $beyond = @($role.PrivilegeList | Where-Object { $wanted -notcontains $_ })
    if ($missing -and $PSCmdlet.ShouldProcess($Name, "add $($missing.Id -join ', ')")) {
        $role = Set-VIRole -Role $role -AddPrivilege $missing
    }
    if ($beyond -and $PSCmdlet.ShouldProcess($Name, "remove $($beyond -join ', ')")) {
        $role = Set-VIRole -Role $role -RemovePrivilege (Get-VIPrivilege -Server $Server -Id $beyond)
    }
    return $role
}

function Set-BalancerPermission($Entity, $Role) {
    if (-not $PSCmdlet.ShouldProcess("$Entity", "give $Role to $Principal")) {
        return
    }
    $held = Get-VIPermission -Server $Server -Entity $Entity -Principal $Principal |
        Where-Object { $_.Entity.Id -eq $Entity.Id }
    if ($held) {
        Set-VIPermission -Permission $held -Role $Role -Propagate:$true
    }
    else {
        New-VIPermission -Server $Server -Entity $Entity -Principal $Principal -Role $Role -Propagate:$true
    }
}

$reader = Set-BalancerRole 'balancer-reader'
$executor = Set-BalancerRole 'balancer-executor'
if ($Principal) {
    Set-BalancerPermission (Get-Folder -Server $Server -NoRecursion) $reader
    foreach ($name in $Execute) {
        Set-BalancerPermission (Get-Cluster -Server $Server -Name $name) $executor
    }
}
