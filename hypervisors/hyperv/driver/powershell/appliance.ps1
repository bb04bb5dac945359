# Targets as SCSI disks of the appliance: https://learn.microsoft.com/powershell/module/hyper-v/add-vmharddiskdrive
# Only SCSI disks can be added to and removed from a running machine.

function Get-SlotFacts {
    param($Drive)
    return [ordered]@{
        controller = [string]$Drive.ControllerType
        number = [int]$Drive.ControllerNumber
        location = [int]$Drive.ControllerLocation
    }
}

function Find-Drive {
    param($Vm, [string]$Path)
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm)) {
        if ($drive.Path -eq $Path) {
            return $drive
        }
    }
    return $null
}

# As Find-Drive, of the appliance. With a checkpoint of it what is written goes to another file, which inherits the target's
# page 83: whoever took the target then would lack what was written last.
function Find-TargetDrive {
    param($Vm, [string]$Path)
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm)) {
        if ($drive.Path -eq $Path) {
            return $drive
        }
        if ($drive.Path -notlike '*.avhd*') {
            continue
        }
        foreach ($file in (Get-DiskChain -Path $drive.Path)) {
            if ($file.path -eq $Path) {
                Stop-Operation -Code 'chain_unexpected' -Message "the appliance has a checkpoint: what was written last is in $($drive.Path), not in $Path"
            }
        }
    }
    return $null
}

function Invoke-AttachTarget {
    param($Request)
    $vm = Get-VM -Id ([guid]$Request.appliance)
    if ([string]$vm.State -ne 'Running') {
        Stop-Operation -Code 'state_wrong' -Message "the appliance is $($vm.State)"
    }
    Test-DiskIdentity -Path $Request.path -VirtualDiskId $Request.virtualDiskId
    # Recoveries have one appliance: of two that look for a place at once, both would find the same.
    $lock = Enter-Lock -Name $Request.appliance
    try {
        $drive = Find-TargetDrive -Vm $vm -Path $Request.path
        if ($null -eq $drive) {
            $place = Find-FreePlace -Vm $vm
            Add-VMHardDiskDrive -VM $vm -ControllerType 'SCSI' -ControllerNumber $place.number -ControllerLocation $place.location -Path $Request.path
            $drive = Find-TargetDrive -Vm $vm -Path $Request.path
        }
        $slot = Get-SlotFacts -Drive $drive
        return [ordered]@{ controller = $slot.controller; number = $slot.number; location = $slot.location }
    }
    finally {
        Exit-Lock -Mutex $lock
    }
}

# 64 disks at each of up to four controllers:
# https://learn.microsoft.com/windows-server/virtualization/hyper-v/plan/plan-hyper-v-scalability-in-windows-server
function Find-FreePlace {
    param($Vm)
    $taken = @{}
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm -ControllerType 'SCSI')) {
        $taken["$($drive.ControllerNumber):$($drive.ControllerLocation)"] = $true
    }
    # Of generation 2 DVD drives are at SCSI controllers too.
    foreach ($drive in @(Get-VMDvdDrive -VM $Vm)) {
        if ([string]$drive.ControllerType -eq 'SCSI') {
            $taken["$($drive.ControllerNumber):$($drive.ControllerLocation)"] = $true
        }
    }
    foreach ($controller in @(Get-VMScsiController -VM $Vm)) {
        for ($location = 0; $location -lt 64; $location++) {
            if (-not $taken.ContainsKey("$($controller.ControllerNumber):$location")) {
                return @{ number = $controller.ControllerNumber; location = $location }
            }
        }
    }
    Stop-Operation -Code 'slots_full' -Message 'the appliance has no place for another disk'
}

# An appliance that is gone holds nothing.
function Remove-FromAppliance {
    param([string]$Appliance, [string]$Path)
    foreach ($vm in @(Get-AllMachines)) {
        if ([guid]$vm.Id -ne [guid]$Appliance) {
            continue
        }
        $drive = Find-TargetDrive -Vm $vm -Path $Path
        if ($null -ne $drive) {
            Remove-VMHardDiskDrive -VMHardDiskDrive $drive
            return $true
        }
    }
    return $false
}

function Invoke-DetachTarget {
    param($Request)
    return [ordered]@{ detached = Remove-FromAppliance -Appliance $Request.appliance -Path $Request.path }
}

function Invoke-RemoveTargets {
    param($Request)
    $unfinished = @()
    foreach ($path in $Request.paths) {
        [void](Remove-FromAppliance -Appliance $Request.appliance -Path $path)
        # Of a target whose making was cut off.
        $unfinished += $path + '.new.vhdx'
    }
    [void](Remove-FilesInside -Paths $unfinished -Directory $Request.directory)
    $removed = Remove-FilesInside -Paths $Request.paths -Directory $Request.directory
    Remove-EmptyFolder -Path $Request.directory
    return [ordered]@{ removed = [int]$removed }
}
