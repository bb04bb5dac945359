# Process 4 is the kernel's own: when it began does not move with the clock afterwards, as LastBootUpTime does. That WMI
# tells it is a guess, so the other stands in for it.
# https://learn.microsoft.com/windows/win32/cimwin32prov/win32-process
# https://learn.microsoft.com/windows/win32/cimwin32prov/win32-operatingsystem
function Get-BootId {
    $kernel = Get-CimInstance -ClassName 'Win32_Process' -Filter 'ProcessId = 4'
    if (($null -ne $kernel) -and ($null -ne $kernel.CreationDate)) {
        return $kernel.CreationDate.ToUniversalTime().ToString('o')
    }
    return (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime.ToUniversalTime().ToString('o')
}

# With the update revision, which is no part of OSVersion: a cumulative update changes nothing else of it. That this value is the
# second half of a build as Microsoft lists them is told everywhere and documented nowhere.
# https://learn.microsoft.com/windows/release-health/windows-server-release-info
function Get-WindowsVersion {
    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $version = [Environment]::OSVersion.Version
    $build = [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuild', $version.Build)
    $revision = [Microsoft.Win32.Registry]::GetValue($key, 'UBR', 0)
    return "$($version.Major).$($version.Minor).$build.$revision"
}

function Invoke-Hello {
    param($Request)
    $principal = New-Object -TypeName Security.Principal.WindowsPrincipal -ArgumentList @(
        [Security.Principal.WindowsIdentity]::GetCurrent())
    return [ordered]@{
        powerShell = [string]$PSVersionTable.PSVersion
        windows = Get-WindowsVersion
        computerName = [Environment]::MachineName
        bootId = Get-BootId
        elevated = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    }
}

function Invoke-Report {
    param($Request)
    $vmHost = Get-VMHost
    $system = Get-CimInstance -ClassName 'Win32_OperatingSystem'
    $switches = @()
    foreach ($network in @(Get-VMSwitch)) {
        $switches += , ([ordered]@{ name = [string]$network.Name; type = [string]$network.SwitchType })
    }
    return [ordered]@{
        freeBytes = Get-FreeBytes -Path $Request.datastore
        memoryTotalMiB = [int64][Math]::Floor($vmHost.MemoryCapacity / 1048576)
        # It is told in KiB.
        memoryFreeMiB = [int64][Math]::Floor($system.FreePhysicalMemory / 1024)
        processors = [int]$vmHost.LogicalProcessorCount
        switches = $switches
        initiatorName = Get-InitiatorName
        hyperV = [string][Environment]::OSVersion.Version
    }
}

# Of the volume that the directory is on, which need not be that of its drive letter; of the first one above it that is
# there. https://learn.microsoft.com/powershell/module/storage/get-volume
function Get-FreeBytes {
    param([string]$Path)
    $there = $Path
    while (-not [IO.Directory]::Exists($there)) {
        $there = [IO.Path]::GetDirectoryName($there)
        if ($null -eq $there) {
            Stop-Operation -Code 'not_there' -Message "there is no drive for $Path"
        }
    }
    return [int64](Get-Volume -FilePath $there).SizeRemaining
}

# Null where the service is not installed; it has its name without running (a guess).
function Get-InitiatorName {
    foreach ($port in @(Get-InitiatorPort -ErrorAction 'SilentlyContinue')) {
        if ([string]$port.ConnectionType -like '*iSCSI*') {
            return [string]$port.NodeAddress
        }
    }
    return $null
}

function Invoke-CheckCmdlets {
    param($Request)
    $missing = @()
    foreach ($wanted in $Request.cmdlets.PSObject.Properties) {
        $found = @(Get-Command -Name $wanted.Name -ErrorAction 'SilentlyContinue')
        if ($found.Length -eq 0) {
            $missing += , ([ordered]@{ cmdlet = $wanted.Name; parameter = $null })
            continue
        }
        foreach ($parameter in $wanted.Value) {
            if (-not $found[0].Parameters.ContainsKey($parameter)) {
                $missing += , ([ordered]@{ cmdlet = $wanted.Name; parameter = $parameter })
            }
        }
    }
    return [ordered]@{ missing = $missing }
}
