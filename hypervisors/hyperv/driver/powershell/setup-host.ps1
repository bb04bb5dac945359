# What a host has, and gets, so that an appliance can work on it: a switch between the two, the appliance's key, the initiator.
# Switches and machines are a set-up's when their notes say so, rules and keys by their names.

function Get-SetupMark {
    param([string]$SetupId)
    return 'rouse-setup: ' + $SetupId
}

function Test-SetupMark {
    param([string]$Notes, [string]$SetupId)
    $lines = $Notes -split "`r?`n"
    return $lines -contains (Get-SetupMark -SetupId $SetupId)
}

# Name of a rule of the firewall, and comment of a key.
function Get-SetupName {
    param([string]$SetupId)
    return 'rouse-setup-' + $SetupId
}

function Invoke-Survey {
    param($Request)
    $there = [IO.Directory]::Exists($Request.datastore)
    $volume = Get-Volume -FilePath ([IO.Path]::GetPathRoot($Request.datastore))
    $services = @()
    foreach ($name in @('MSiSCSI', 'sshd')) {
        foreach ($service in @(Get-Service -Name $name -ErrorAction 'SilentlyContinue')) {
            $services += , ([ordered]@{
                name = [string]$service.Name
                startType = [string]$service.StartType
                running = ([string]$service.Status -eq 'Running')
            })
        }
    }
    $addresses = @()
    foreach ($address in @(Get-NetIPAddress -AddressFamily 'IPv4')) {
        $addresses += , ([ordered]@{ address = [string]$address.IPAddress; prefixLength = [int]$address.PrefixLength })
    }
    $switches = @()
    foreach ($network in @(Get-VMSwitch)) {
        $switches += , ([ordered]@{
            name = [string]$network.Name
            type = [string]$network.SwitchType
            ours = Test-SetupMark -Notes ([string]$network.Notes) -SetupId $Request.setupId
        })
    }
    $files = @()
    if ([IO.Directory]::Exists($Request.directory)) {
        foreach ($path in [IO.Directory]::GetFiles($Request.directory)) {
            $files += , ([ordered]@{ path = [string]$path })
        }
    }
    return [ordered]@{
        edition = [string](Get-CimInstance -ClassName 'Win32_OperatingSystem').Caption
        fileSystem = [string]$volume.FileSystem
        datastoreThere = $there
        files = $files
        services = $services
        addresses = $addresses
        switches = $switches
        machines = Get-MachineFacts -SetupId $Request.setupId
    }
}

function Get-MachineFacts {
    param([string]$SetupId)
    $machines = @()
    foreach ($vm in @(Get-AllMachines)) {
        $mark = $null
        foreach ($line in (([string]$vm.Notes) -split "`r?`n")) {
            if ($line -match '^rouse-recovery: ([0-9a-f-]{36})$') {
                $mark = $Matches[1]
            }
        }
        $ours = Test-Appliance -Vm $vm -SetupId $SetupId
        $machines += , ([ordered]@{
            vmId = ConvertTo-Guid -Text $vm.Id
            name = [string]$vm.Name
            state = [string]$vm.State
            ours = $ours
            recoveryId = $mark
            finished = ($null -ne $mark) -and (Test-Finished -Vm $vm)
        })
    }
    return , $machines
}

# It was handed over to its owner, whose start it has, and each of its disks is one file. Of others nothing is opened: their
# disks may stand on a volume that does not answer.
function Test-Finished {
    param($Vm)
    if ([string]$Vm.AutomaticStartAction -eq 'Nothing') {
        return $false
    }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm)) {
        if ((Get-ParentPath -Path $drive.Path) -ne '') {
            return $false
        }
    }
    return $true
}

# The switch, the host's address on it, and a way through the firewall for SSH: what is connected to an internal switch is an
# unidentified network, hence public, where the rule that comes with OpenSSH does not count on every Windows.
# https://learn.microsoft.com/windows-server/administration/openssh/openssh_install_firstuse
function Invoke-MakeNetwork {
    param($Request)
    $made = $false
    $found = Find-SetupSwitch -SetupId $Request.setupId
    if ($null -eq $found) {
        foreach ($other in @(Get-VMSwitch)) {
            if ([string]$other.Name -eq $Request.name) {
                Stop-Operation -Code 'identity_conflict' -Message "there is a virtual switch $($Request.name), and it is not of this set-up"
            }
        }
        [void](New-VMSwitch -Name $Request.name -SwitchType 'Internal' -Notes (Get-SetupMark -SetupId $Request.setupId))
        $made = $true
    }
    Set-HostAddress -Request $Request
    $rule = Get-SetupName -SetupId $Request.setupId
    if (@(Get-NetFirewallRule -Name $rule -ErrorAction 'SilentlyContinue').Length -eq 0) {
        $opening = @{
            Name = $rule
            DisplayName = 'Rouse: SSH from its appliance'
            Direction = 'Inbound'
            Action = 'Allow'
            Profile = 'Any'
            Protocol = 'TCP'
            LocalPort = [string]$Request.sshPort
            LocalAddress = $Request.hostAddress
            RemoteAddress = $Request.applianceAddress
        }
        [void](New-NetFirewallRule @opening)
        $made = $true
    }
    return [ordered]@{ made = $made }
}

function Find-SetupSwitch {
    param([string]$SetupId)
    foreach ($network in @(Get-VMSwitch)) {
        if (Test-SetupMark -Notes ([string]$network.Notes) -SetupId $SetupId) {
            return $network
        }
    }
    return $null
}

# The host's adapter at a switch goes by this name, and may come a moment after it (a guess).
# https://learn.microsoft.com/virtualization/hyper-v-on-windows/user-guide/setup-nat-network
function Set-HostAddress {
    param($Request)
    $adapter = 'vEthernet (' + $Request.name + ')'
    for ($tries = 0; $tries -lt 30; $tries++) {
        foreach ($address in @(Get-NetIPAddress -InterfaceAlias $adapter -AddressFamily 'IPv4' -ErrorAction 'SilentlyContinue')) {
            if ([string]$address.IPAddress -eq $Request.hostAddress) {
                return
            }
        }
        try {
            [void](New-NetIPAddress -InterfaceAlias $adapter -IPAddress $Request.hostAddress -PrefixLength ([byte]$Request.prefixLength))
            return
        }
        catch {
            if ($tries -eq 29) {
                throw
            }
            Start-Sleep -Seconds 1
        }
    }
}

# Addresses go with the adapter, and that with the switch.
function Invoke-RemoveNetwork {
    param($Request)
    $removed = $false
    $rule = Get-SetupName -SetupId $Request.setupId
    if (@(Get-NetFirewallRule -Name $rule -ErrorAction 'SilentlyContinue').Length -gt 0) {
        Remove-NetFirewallRule -Name $rule
        $removed = $true
    }
    $found = Find-SetupSwitch -SetupId $Request.setupId
    if ($null -ne $found) {
        Remove-VMSwitch -VMSwitch $found -Force
        $removed = $true
    }
    return [ordered]@{ removed = $removed }
}

# Of the initiator. It is stopped only where nobody has a session.
function Invoke-SetInitiator {
    param($Request)
    Set-Service -Name 'MSiSCSI' -StartupType $Request.startType
    if ($Request.running) {
        Start-Service -Name 'MSiSCSI'
    }
    elseif ([string](Get-Service -Name 'MSiSCSI').Status -eq 'Running') {
        if (@(Get-IscsiSession).Length -eq 0) {
            Stop-Service -Name 'MSiSCSI'
        }
    }
    return [ordered]@{ running = ([string](Get-Service -Name 'MSiSCSI').Status -eq 'Running') }
}
